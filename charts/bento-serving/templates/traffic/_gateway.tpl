{{- /*
A track's api as the backend of an HTTPRoute's rule; its answers say which bundle gave them.
Call: include "bento-serving.backend" (dict "track" $track "weight" 1)
*/}}
{{- define "bento-serving.backend" -}}
- group: ""
  kind: Service
  name: {{ (first .track.apis).name }}
  port: 3000
  weight: {{ .weight }}
  filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set:
          {{- range $name, $value := include "bento-serving.answerHeaders" .track | fromJson }}
          - {name: {{ $name }}, value: {{ $value | quote }}}
          {{- end }}
{{- end -}}

{{- /*
The rules as a Gateway decides: of several matches the one with the most headers, whatever stands first. So every combination of rules
that one request can match together becomes a match of its own, with the headers of all, and leads where the first of them does: for
each request the largest match that fits is then the one of all rules that fit.
As JSON: [{headers: {name: value}, track}]. Call: include "bento-serving.decisions" $app | fromJsonArray
*/}}
{{- define "bento-serving.decisions" -}}
{{- $known := dict -}}
{{- range $order, $rule := .rules -}}
{{- range $headers := $rule.combinations -}}
{{- $new := dict (toJson $headers) (dict "order" $order "track" $rule.track "headers" $headers) -}}
{{- range $earlier := $known -}}
{{- if include "bento-serving.agree" (dict "one" $headers "other" $earlier.headers) -}}
{{- $both := merge (deepCopy $headers) $earlier.headers -}}
{{- $seen := get $new (toJson $both) | default dict -}}
{{- if lt $earlier.order (dig "order" 1000 $seen) -}}
{{- $_ := set $new (toJson $both) (dict "order" $earlier.order "track" $earlier.track "headers" $both) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $known = merge $known $new -}}
{{- end -}}
{{- end -}}
{{- $decisions := list -}}
{{- range $decision := $known -}}
{{- $decisions = append $decisions (pick $decision "headers" "track") -}}
{{- end -}}
{{- $decisions | toJson -}}
{{- end -}}

{{- /*
The matches of an HTTPRoute's rule by which a track is asked for, as JSON: by its name, whatever the rules say (so also with the headers
of each that leads elsewhere), and by the rules. Call: include "bento-serving.matches" (dict "app" $app "track" $track) | fromJsonArray
*/}}
{{- define "bento-serving.matches" -}}
{{- $asked := dict "x-bento-track" .track.name -}}
{{- $every := list $asked -}}
{{- range $decision := include "bento-serving.decisions" .app | fromJsonArray -}}
{{- if ne $decision.track $.track.name -}}
{{- $every = append $every (merge (deepCopy $asked) $decision.headers) -}}
{{- else -}}
{{- $every = append $every $decision.headers -}}
{{- end -}}
{{- end -}}
{{- $matches := list -}}
{{- range $headers := $every -}}
{{- $conditions := list -}}
{{- range $name, $value := $headers -}}
{{- $conditions = append $conditions (dict "type" "Exact" "name" $name "value" $value) -}}
{{- end -}}
{{- range $path := $.app.paths -}}
{{- $matches = append $matches (dict "path" $path "headers" $conditions) -}}
{{- end -}}
{{- end -}}
{{- $matches | toJson -}}
{{- end -}}
