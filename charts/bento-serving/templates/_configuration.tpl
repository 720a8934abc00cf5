{{- /*
BentoML's configuration file for the components that run in one process. No `version` key: BentoML 1.4 fails on it.
Of a component that is called over the network it holds what the caller reads, the time that it waits for an answer, and no more:
the file's checksum restarts the pods, and another component's change should not. That is also why `traffic.concurrency` is not
here: no server reads it. The probe of dependencies is off: one refused runner would make every api pod unready.
Call: include "bento-serving.configuration" (dict "inside" $settingsByService "called" $settingsByService "tracing" $tracingOrNil)
*/}}
{{- define "bento-serving.configuration" -}}
{{- $services := dict -}}
{{- range $service, $settings := .inside -}}
{{- $traffic := dict -}}
{{- with dig "traffic" "timeout" nil $settings -}}
{{- $_ := set $traffic "timeout" . -}}
{{- end -}}
{{- with dig "traffic" "maxConcurrency" nil $settings -}}
{{- $_ := set $traffic "max_concurrency" (int .) -}}
{{- end -}}
{{- $_ := set $services $service (dict "workers" (int $settings.workers) "traffic" $traffic "runner_probe" (dict "enabled" false)) -}}
{{- $_ := set (get $services $service) "metrics" (include "bento-serving.metrics" $settings | fromYaml) -}}
{{- with $.tracing -}}
{{- $_ := set $services $service (merge (get $services $service) (include "bento-serving.tracingOf" . | fromYaml)) -}}
{{- end -}}
{{- end -}}
{{- range $service, $settings := .called -}}
{{- $_ := set $services $service (dict "traffic" (dict "timeout" (dig "traffic" "timeout" nil $settings))) -}}
{{- end -}}
{{- toYaml (dict "services" $services) | include "bento-serving.sampleRate" -}}
{{- end -}}

{{- /*
Sets `environment`, `secrets` and `egress` of a workload from the components that run in it: batching limits, `envs`, then what the chart
itself sets. BENTOML_DISABLE_GPU_ALLOCATION: the pod sees the GPUs it was given; BentoML would hide those the decorator did not ask for.
Call: include "bento-serving.environment" (dict "app" $app "workload" $workload "inside" $settingsByService) ; it returns nothing.
*/}}
{{- define "bento-serving.environment" -}}
{{- $seen := dict -}}
{{- range $list := list "environment" "secrets" -}}
{{- $_ := set $.workload $list list -}}
{{- end -}}
{{- $_ := set .workload "egress" dict -}}
{{- $where := printf "tracks.%s.components" .workload.track -}}
{{- range $service, $settings := .inside -}}
{{- range $api, $said := $settings.apis -}}
{{- range $limit, $pair := $said.batching -}}
{{- $at := printf "%s.%s.apis.%s.batching.%s" $where $service $api $limit -}}
{{- if and $pair.value (not $pair.env) -}}
{{- $wrong := printf "%s: the code reads this limit from no variable (found value %d); remove it, or name the variable in `env`" $at (int $pair.value) -}}
{{- include "bento-serving.wrong" (dict "app" $.app "wrong" $wrong) -}}
{{- else if $pair.value -}}
{{- $entry := dict "name" $pair.env "value" ($pair.value | int | toString) -}}
{{- include "bento-serving.variable" (dict "app" $.app "workload" $.workload "seen" $seen "entry" $entry "at" $at "kind" "batching") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $service, $settings := .inside -}}
{{- range $name, $value := $settings.envs -}}
{{- $at := printf "%s.%s.envs.%s" $where $service $name -}}
{{- $entry := dict "name" $name "value" $value -}}
{{- include "bento-serving.variable" (dict "app" $.app "workload" $.workload "seen" $seen "entry" $entry "at" $at "kind" "envs") -}}
{{- end -}}
{{- $_ := set $.workload "secrets" (concat $.workload.secrets ($settings.secrets | default list) | uniq) -}}
{{- range $name, $place := $settings.egress -}}
{{- $_ := set $.workload.egress (printf "%s/%s" $name $service) $place -}}
{{- end -}}
{{- end -}}
{{- $fixed := dict "BENTOML_CONFIG" "/etc/bentoml/bentoml.yaml" "BENTOML_HOME" "/var/lib/bentoml" "BENTOML_DO_NOT_TRACK" "True" -}}
{{- $_ := set $fixed "BENTOML_DISABLE_GPU_ALLOCATION" "1" -}}
{{- with .workload.tracing -}}
{{- $_ := set $fixed "OTEL_RESOURCE_ATTRIBUTES" (include "bento-serving.resource" $) -}}
{{- $_ := set $.workload.egress "tracing" .place -}}
{{- end -}}
{{- range $name, $value := $fixed -}}
{{- $entry := dict "name" $name "value" $value -}}
{{- include "bento-serving.variable" (dict "app" $.app "workload" $.workload "seen" $seen "entry" $entry "at" "the chart" "kind" "chart") -}}
{{- end -}}
{{- end -}}

{{- /*
Adds a variable to a workload, once. The same value said twice in the same way is one variable (two components of a single process);
anything else is wrong: an API server would refuse the name twice, or quietly take the last. Two limits that the code reads from one
variable cannot be said once, so their sentence asks for one value.
Call: include "bento-serving.variable" (dict "app" $app "workload" $workload "seen" $seen "entry" $entry "at" $pointer "kind" $kind)
*/}}
{{- define "bento-serving.variable" -}}
{{- $before := get .seen .entry.name -}}
{{- if not $before -}}
{{- $_ := set .seen .entry.name (dict "at" .at "kind" .kind "value" .entry.value) -}}
{{- $_ := set .workload "environment" (append .workload.environment .entry) -}}
{{- else if and (eq $before.kind .kind) (ne $before.value .entry.value) -}}
{{- $reader := eq .kind "batching" | ternary "the code reads both limits from it" "both components run in one process" -}}
{{- $both := printf "%s here and %s in %s" $before.value .entry.value .at -}}
{{- $wrong := printf "%s: the variable %s would have two values (found %s); %s: give both the same value" $before.at .entry.name $both $reader -}}
{{- include "bento-serving.wrong" (dict "app" .app "wrong" $wrong) -}}
{{- else if ne $before.kind .kind -}}
{{- $wrong := printf "%s: the variable %s is set twice (also by %s); say it once" $before.at .entry.name .at -}}
{{- include "bento-serving.wrong" (dict "app" .app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
