{{- /*
Labels of the objects for the Prometheus operator: the application's, and those by which Prometheus picks them; the latter win, since
they are said for these objects alone. Call: include "bento-serving.watchedLabels" $
*/}}
{{- define "bento-serving.watchedLabels" -}}
{{- merge (deepCopy (.Values.monitoring.labels | default dict)) (include "bento-serving.labels" .resolved | fromYaml) | toYaml -}}
{{- end -}}
