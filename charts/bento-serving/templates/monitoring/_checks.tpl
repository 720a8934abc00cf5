{{- /*
What alerts need of the values: each threshold, since a query without its number is none. Called by "bento-serving.checks" alone.
*/}}
{{- define "bento-serving.checkAlerts" -}}
{{- $app := .resolved -}}
{{- if include "bento-serving.watched" $ -}}
{{- $alerts := .Values.alerts | default dict -}}
{{- $needed := list "minRequestsPerMinute" "shedRatio" "concurrencyRatio" "runnerTimeoutRatio" "restartsPerHour" "batchSize" -}}
{{- $needed = concat $needed (list "errorRatioOverStable" "p95OverStable" "gpuMemoryRatio" "minPredictions" "confidenceDrop") -}}
{{- range concat $needed (list "classShareChange" "rejectedRatio" "runbooks") -}}
{{- $found := get $alerts . -}}
{{- if or (kindIs "invalid" $found) (eq (toString $found) "") -}}
{{- $wrong := printf "alerts.%s: is missing; add it" . -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
