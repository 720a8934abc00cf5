{{- /*
Sets $.resolved.tracing: what every traced component is configured with; nothing without an endpoint. The exporter asks the endpoint as it
stands, so its port, where `collector.port` does not say the pods', is the endpoint's.
Call: include "bento-serving.tracing" $ , by "bento-serving.resolve" alone; it returns nothing.

    tracing: {endpoint, sampleRate: text, place: {namespace, podLabels, cidr, ports: [port]}}
*/}}
{{- define "bento-serving.tracing" -}}
{{- $said := .Values.tracing | default dict -}}
{{- with $said.endpoint -}}
{{- $collector := $said.collector | default dict -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" -}}
{{- $port = $collector.port | default $port | default (hasPrefix "https:" . | ternary 443 80) | int -}}
{{- $place := set (pick $collector "namespace" "podLabels" "cidr") "ports" (list $port) -}}
{{- $rate := printf "%.9f" (float64 ($said.sampleRate | default 0)) -}}
{{- $tracing := dict "endpoint" . "place" $place "sampleRate" (regexReplaceAll "([.][0-9]+?)0+$" $rate "${1}") -}}
{{- $_ := set $.resolved "tracing" $tracing -}}
{{- end -}}
{{- end -}}

{{- /*
BentoML's settings of a traced component, as a map: {tracing, http}. `sample_rate` stands for a number that toYaml cannot write (see
"bento-serving.sampleRate"). No compression: with gzip the exporter does not start. Ending a pod waits for the last export, so its time is
short. The answer's header names the trace, for whoever reports it.
Call: include "bento-serving.tracingOf" $tracing | fromYaml
*/}}
{{- define "bento-serving.tracingOf" -}}
http:
  response: {trace_id: true}
tracing:
  exporter_type: otlp
  sample_rate: {{ printf "sampled %s" .sampleRate }}
  excluded_urls: ['^https?://[^/]+/(healthz|livez|metrics|readyz)$']
  timeout: 5
  otlp: {protocol: http, endpoint: {{ .endpoint | quote }}}
{{- end -}}

{{- /*
A configuration file with its sample rates as numbers with a fraction: BentoML takes a float alone, and toYaml writes 1.0 as 1, 0.00001 as 1e-05,
which is text to it. Call: include "bento-serving.sampleRate" $yaml
*/}}
{{- define "bento-serving.sampleRate" -}}
{{- regexReplaceAll "(?m)^( +sample_rate: )sampled ([0-9.]+)$" . "${1}${2}" -}}
{{- end -}}

{{- /*
Who sent a span, in OpenTelemetry's words where it has some. Without the namespace and the version, which are BentoML's own: the Bento's.
Call: include "bento-serving.resource" (dict "app" $app "workload" $workload)
*/}}
{{- define "bento-serving.resource" -}}
{{- $attributes := dict "service.name" (printf "%s-%s" .app.name .workload.component) -}}
{{- range $key := list "track" "bundle" "component" "role" -}}
{{- $_ := set $attributes (printf "bento.%s" $key) (get $.workload $key) -}}
{{- end -}}
{{- $_ := set $attributes "bento.application" .app.name -}}
{{- with .app.environment -}}
{{- $_ := set $attributes "deployment.environment.name" . -}}
{{- end -}}
{{- $pairs := list -}}
{{- range $key, $value := $attributes -}}
{{- $pairs = append $pairs (printf "%s=%s" $key (toString $value)) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- /*
Notes what keeps traces from arriving. Call: include "bento-serving.checkTracing" $
*/}}
{{- define "bento-serving.checkTracing" -}}
{{- $app := .resolved -}}
{{- with $app.tracing -}}
{{- $inCluster := or .place.namespace .place.podLabels -}}
{{- if not (or .place.cidr $inCluster) -}}
{{- $wrong := "tracing.collector: is missing, so the network policies would let no trace out; add namespace and podLabels of its pods, or its cidr" -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- else if and .place.cidr $inCluster -}}
{{- $wrong := "tracing.collector: is either a cidr or pods (namespace, podLabels); say which" -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- if not (trimSuffix "/" (urlParse .endpoint).path) -}}
{{- $wrong := printf "tracing.endpoint: has no path, and is asked as it stands (found %q); add /v1/traces" .endpoint -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
