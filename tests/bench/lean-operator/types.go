package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var version = schema.GroupVersion{Group: "bench.doce.dev", Version: "v1"}

// App is an image that runs and is served on a node port.
type App struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AppSpec   `json:"spec"`
	Status AppStatus `json:"status,omitempty"`
}

// AppSpec is the desired state.
type AppSpec struct {
	Image string `json:"image"`
	Port  int32  `json:"port"`
}

// AppStatus is the observed state.
type AppStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	NodePort           int32              `json:"nodePort,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// AppList is a list of Apps.
type AppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []App `json:"items"`
}

// DeepCopyInto copies all fields into another App.
func (a *App) DeepCopyInto(to *App) {
	*to = App{TypeMeta: a.TypeMeta, Spec: a.Spec, Status: a.Status}
	a.ObjectMeta.DeepCopyInto(&to.ObjectMeta)
	to.Status.Conditions = nil
	for _, condition := range a.Status.Conditions {
		to.Status.Conditions = append(to.Status.Conditions, *condition.DeepCopy())
	}
}

// DeepCopy returns a copy that shares nothing with the original.
func (a *App) DeepCopy() *App {
	to := &App{}
	a.DeepCopyInto(to)
	return to
}

// DeepCopyObject implements runtime.Object.
func (a *App) DeepCopyObject() runtime.Object {
	return a.DeepCopy()
}

// DeepCopyObject implements runtime.Object.
func (l *AppList) DeepCopyObject() runtime.Object {
	to := &AppList{TypeMeta: l.TypeMeta, Items: make([]App, len(l.Items))}
	l.ListMeta.DeepCopyInto(&to.ListMeta)
	for i := range l.Items {
		l.Items[i].DeepCopyInto(&to.Items[i])
	}
	return to
}

func register(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(version, &App{}, &AppList{})
	metav1.AddToGroupVersion(scheme, version)
	return nil
}
