{{- /*
BentoML's `metrics` of a component, as YAML: the bounds that durations are counted by. They grow by a quarter each, so that a percentile
between two is wrong by a quarter at worst; BentoML's own, up to 2.5 times apart, cannot tell 110 ms from 240. They are the same for every
component, so that tracks can be compared. The last is above what a request may take. Each keeps a fraction: BentoML refuses whole numbers.
Call: include "bento-serving.metrics" $settings | fromYaml
*/}}
{{- define "bento-serving.metrics" -}}
{{- $longest := dig "traffic" "timeout" 0 . | float64 | ceil -}}
enabled: true
namespace: bentoml_service
duration: {min: 0.002, factor: 1.25, max: {{ maxf 120.5 (addf $longest 0.5) }}}
{{- end -}}
