{{/* The nodeSelector of a pod: the given labels, and Linux. */}}
{{- define "doce.nodeSelector" -}}
{{- toYaml (merge (dict "kubernetes.io/os" "linux") .) -}}
{{- end -}}

{{/* The affinity of a pod of the operator's image: .affinity, and the architectures of the image in each of its terms. */}}
{{- define "doce.affinity" -}}
{{- $affinity := deepCopy (default dict .affinity) -}}
{{- with .root.Values.image.architectures -}}
{{- $rule := dict "key" "kubernetes.io/arch" "operator" "In" "values" . -}}
{{- $node := default dict $affinity.nodeAffinity -}}
{{- $required := default dict $node.requiredDuringSchedulingIgnoredDuringExecution -}}
{{- $terms := list -}}
{{- range default (list dict) $required.nodeSelectorTerms -}}
{{- $terms = append $terms (set . "matchExpressions" (append (default list .matchExpressions) $rule)) -}}
{{- end -}}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) -}}
{{- $_ := set $affinity "nodeAffinity" $node -}}
{{- end -}}
{{- with $affinity -}}{{- toYaml . -}}{{- end -}}
{{- end -}}
