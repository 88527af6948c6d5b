{{/* The release that Helm says owns .object, in words. Empty if that is this one, or none. */}}
{{- define "doce.otherOwner" -}}
{{- $annotations := default dict (default dict .object.metadata).annotations -}}
{{- $name := default "" (get $annotations "meta.helm.sh/release-name") -}}
{{- $namespace := default "" (get $annotations "meta.helm.sh/release-namespace") -}}
{{- if and $name (or (ne $name .root.Release.Name) (ne $namespace .root.Release.Namespace)) -}}
{{- printf "the release %s in namespace %s" $name $namespace -}}
{{- end -}}
{{- end -}}

{{/* Whether .object is this .component of another release of the chart. */}}
{{- define "doce.isOther" -}}
{{- $labels := default dict .object.metadata.labels -}}
{{- $ours := eq (get $labels "app.kubernetes.io/name") "doce-operator" -}}
{{- $component := eq (get $labels "app.kubernetes.io/component") .component -}}
{{- $here := and (eq .object.metadata.namespace .root.Release.Namespace) (eq (get $labels "app.kubernetes.io/instance") .root.Release.Name) -}}
{{- and $ours $component (not $here) -}}
{{- end -}}

{{/* The environment variables of the first container of a Deployment or DaemonSet, as YAML. */}}
{{- define "doce.env" -}}
{{- range (index .spec.template.spec.containers 0).env }}
{{ .name }}: {{ default "" .value | quote }}
{{- end }}
{{- end -}}
