{{- /*
Labels of an object: people's own, then ours. Call: include "bento-platform.labels" $own
"Helm" is what Helm itself would write over anything else.
*/}}
{{- define "bento-platform.labels" -}}
{{- $ours := dict "app.kubernetes.io/name" "bento-platform" "app.kubernetes.io/managed-by" "Helm" -}}
{{- merge $ours . | toYaml -}}
{{- end -}}
