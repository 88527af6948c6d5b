{{/* Name of the release's objects. */}}
{{- define "doce.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the operator's pod. */}}
{{- define "doce.selector" -}}
app.kubernetes.io/name: doce-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels that select the registry's pod. */}}
{{- define "doce.registry.selector" -}}
app.kubernetes.io/name: doce-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: registry
{{- end -}}

{{/* Labels that select the registry's sweep. */}}
{{- define "doce.sweep.selector" -}}
app.kubernetes.io/name: doce-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: sweep
{{- end -}}

{{/* The ConfigMap with the images that the embedded registry lost. */}}
{{- define "doce.lostImages" -}}
{{- printf "%s-lost-images" (include "doce.fullname" .) -}}
{{- end -}}

{{/* Labels that select the registry proxies of the nodes. */}}
{{- define "doce.proxy.selector" -}}
app.kubernetes.io/name: doce-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: registry-proxy
{{- end -}}

{{/* Labels that select the pods of the HTTP API. */}}
{{- define "doce.server.selector" -}}
app.kubernetes.io/name: doce-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Labels that every object has in addition. */}}
{{- define "doce.labels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: doce-operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The operator's image. */}}
{{- define "doce.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Registry that build pods push to. */}}
{{- define "doce.push" -}}
{{- if .Values.registry.push -}}
{{- .Values.registry.push -}}
{{- else if .Values.registry.embedded.enabled -}}
{{- printf "%s-registry.%s.svc:5000" (include "doce.fullname" .) .Release.Namespace -}}
{{- else -}}
{{- fail "registry.push is empty and registry.embedded.enabled is false: builds need a registry; set registry.push, or enable the embedded one" -}}
{{- end -}}
{{- end -}}

{{/* Registry that nodes pull from. */}}
{{- define "doce.pull" -}}
{{- if .Values.registry.pull -}}
{{- .Values.registry.pull -}}
{{- else if .Values.registry.push -}}
{{- .Values.registry.push -}}
{{- else -}}
{{- printf "localhost:%d" (int .Values.registry.embedded.port) -}}
{{- end -}}
{{- end -}}

{{/* Whether the push registry uses plain HTTP. */}}
{{- define "doce.insecure" -}}
{{- or .Values.registry.insecure (not .Values.registry.push) -}}
{{- end -}}

{{/* Name of the Lease that operators of the same namespaces share. src/config.rs has the same name. */}}
{{- define "doce.lease" -}}
doce-operator{{ with .Values.namespace }}-{{ . }}{{ end }}
{{- end -}}

{{/* Name of the objects in the namespace of builds. */}}
{{- define "doce.builders" -}}
doce-builders
{{- end -}}
