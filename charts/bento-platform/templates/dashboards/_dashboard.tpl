{{- /*
A dashboard's JSON with what this cluster says: prices as the first value of its variables, and where runbooks are (without that,
neither variable nor links). Call: include "bento-platform.dashboard" (dict "text" $json "values" $.Values.dashboards)
*/}}
{{- define "bento-platform.dashboard" -}}
{{- $board := fromJson .text -}}
{{- $prices := .values.prices -}}
{{- $said := dict "price_cpu" $prices.cpuCoreHour "price_memory" $prices.memoryGibHour "price_gpu" $prices.gpuHour "currency" $prices.currency -}}
{{- with .values.runbooks -}}
{{- $_ := set $said "runbooks" . -}}
{{- else -}}
{{- range $board.panels -}}
{{- $_ := unset . "links" -}}
{{- end -}}
{{- end -}}
{{- $variables := list -}}
{{- range $board.templating.list -}}
{{- $first := get $said .name | toString -}}
{{- if hasKey $said .name -}}
{{- $_ := set . "query" $first -}}
{{- $_ := set . "current" (dict "selected" true "text" $first "value" $first) -}}
{{- end -}}
{{- if or (ne .name "runbooks") (hasKey $said "runbooks") -}}
{{- $variables = append $variables . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $board.templating "list" $variables -}}
{{- toRawJson $board -}}
{{- end -}}
