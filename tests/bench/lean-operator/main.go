// Command lean-operator runs Apps: one Deployment and one NodePort Service for each, and a Ready condition. It is the
// yardstick of `make bench`: what an operator of this kind costs if it builds nothing, judges nothing and remembers
// nothing.
package main

import (
	"context"
	"errors"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgo "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// concurrency is the default of doce-operator.
const concurrency = 8

type reconciler struct {
	client.Client
}

// Reconcile makes the children as the App says, then writes the status if it changed.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	app := &App{}
	if err := r.Get(ctx, request.NamespacedName, app); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if app.DeletionTimestamp != nil {
		return ctrl.Result{}, nil // Kubernetes deletes the children, because the App owns them.
	}
	deployment, err := r.deployment(ctx, app)
	if err != nil {
		return ctrl.Result{}, err
	}
	service, err := r.service(ctx, app)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, app, deployment, service)
}

func (r *reconciler) deployment(ctx context.Context, app *App) (*appsv1.Deployment, error) {
	deployment := &appsv1.Deployment{ObjectMeta: child(app)}
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, deployment, func() error {
		labels := labels(app)
		spec := &deployment.Spec
		deployment.Labels = labels
		spec.Replicas = ptr.To[int32](1)
		spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		spec.Template.Labels = labels
		// The fields one by one: a new container would drop the defaults that the API server set, in every pass.
		if len(spec.Template.Spec.Containers) == 0 {
			spec.Template.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{}}}}
		}
		container := &spec.Template.Spec.Containers[0]
		container.Name = "app"
		container.Image = app.Spec.Image
		container.Ports[0].ContainerPort = app.Spec.Port
		return controllerutil.SetControllerReference(app, deployment, r.Scheme())
	})
	return deployment, err
}

func (r *reconciler) service(ctx context.Context, app *App) (*corev1.Service, error) {
	service := &corev1.Service{ObjectMeta: child(app)}
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, service, func() error {
		service.Labels = labels(app)
		service.Spec.Type = corev1.ServiceTypeNodePort
		service.Spec.Selector = labels(app)
		if len(service.Spec.Ports) == 0 {
			service.Spec.Ports = []corev1.ServicePort{{}}
		}
		service.Spec.Ports[0].Port = 80
		service.Spec.Ports[0].TargetPort = intstr.FromInt32(app.Spec.Port)
		return controllerutil.SetControllerReference(app, service, r.Scheme())
	})
	return service, err
}

func (r *reconciler) report(ctx context.Context, app *App, deployment *appsv1.Deployment, service *corev1.Service) error {
	before := app.DeepCopy()
	app.Status.ObservedGeneration = app.Generation
	app.Status.NodePort = service.Spec.Ports[0].NodePort
	meta.SetStatusCondition(&app.Status.Conditions, ready(app, deployment))
	if equality.Semantic.DeepEqual(before.Status, app.Status) {
		return nil
	}
	return r.Status().Patch(ctx, app, client.MergeFrom(before))
}

func ready(app *App, deployment *appsv1.Deployment) metav1.Condition {
	condition := metav1.Condition{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "RollingOut", Message: "the pods are not ready yet",
		ObservedGeneration: app.Generation,
	}
	status := deployment.Status
	observed := status.ObservedGeneration == deployment.Generation
	if observed && status.Replicas == 1 && status.UpdatedReplicas == 1 && status.AvailableReplicas == 1 {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, "Serving", "the pods are ready"
	}
	return condition
}

func child(app *App) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}
}

func labels(app *App) map[string]string {
	return map[string]string{"app.kubernetes.io/name": app.Name, "app.kubernetes.io/managed-by": "lean-operator"}
}

func run() error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgo.AddToScheme(scheme), register(scheme)); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // No limit in the client, like doce-operator. The API server has its own.
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Metrics: metrics.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		// A write of the status needs no pass.
		For(&App{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(&reconciler{manager.GetClient()})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func main() {
	ctrl.SetLogger(zap.New())
	if err := run(); err != nil {
		ctrl.Log.Error(err, "the operator ends")
		os.Exit(1)
	}
}
