{{- /*
Completes $.resolved with what the routes of every controller say. Call: include "bento-serving.route" $ , by "bento-serving.resolve" alone.

    resolved.route: the controller, or "closed" where nothing leads in
    resolved.paths: [{type, value}]: see "bento-serving.paths"
    resolved.reachable: the tracks that have pods: the others are no backend, and their names in the header are as good as none
    resolved.rules: [{name, track, headers: {header: [value]}, combinations: [{header: value}]}], the first that matches decides
    resolved.canary: the track of nginx's canary Ingress; nil where there is none to lead to
*/}}
{{- define "bento-serving.route" -}}
{{- $app := .resolved -}}
{{- $routing := .Values.routing | default dict -}}
{{- $_ := set $app "route" (empty $routing.closed | ternary ($routing.controller | default "none") "closed") -}}
{{- $_ := set $app "paths" (include "bento-serving.paths" $app.tracks | fromJsonArray) -}}
{{- $reachable := list -}}
{{- $canary := $routing.canary -}}
{{- range $app.tracks -}}
{{- if not .cold -}}
{{- $reachable = append $reachable . -}}
{{- end -}}
{{- if and (not $canary) (gt .weight 0) (ne .name $.Values.stable) -}}
{{- $canary = .name -}}
{{- end -}}
{{- end -}}
{{- $_ := set $app "reachable" $reachable -}}
{{- $_ := set $app "canary" nil -}}
{{- range $reachable -}}
{{- if eq .name (toString $canary) -}}
{{- $_ := set $app "canary" . -}}
{{- end -}}
{{- end -}}
{{- $byRank := dict -}}
{{- range $name, $rule := $routing.rules -}}
{{- $_ := set $byRank (printf "%05d %s" (sub 50000 (int $rule.precedence)) $name) (dict "name" $name "rule" $rule) -}}
{{- end -}}
{{- $rules := list -}}
{{- range $rank := keys $byRank | sortAlpha -}}
{{- $found := get $byRank $rank -}}
{{- $combinations := list (dict) -}}
{{- range $header, $values := $found.rule.headers -}}
{{- $longer := list -}}
{{- range $combination := $combinations -}}
{{- range $value := $values -}}
{{- $longer = append $longer (set (deepCopy $combination) $header $value) -}}
{{- end -}}
{{- end -}}
{{- $combinations = $longer -}}
{{- end -}}
{{- $rule := dict "name" $found.name "track" $found.rule.track "headers" $found.rule.headers "combinations" $combinations -}}
{{- $rules = append $rules (set $rule "precedence" (int $found.rule.precedence)) -}}
{{- end -}}
{{- $_ := set $app "rules" $rules -}}
{{- end -}}

{{- /*
The paths that are routed, as JSON: the routes that the apis of any track declare, and so neither /metrics nor the probes nor the
generated documentation. An api that declares none (an application of its own under BentoML, a chart used by hand) gets every path.
Exact, because BentoML keeps metrics of every path that was ever asked for: who could ask for any path below a route could end monitoring.
Call: include "bento-serving.paths" $app.tracks | fromJsonArray
*/}}
{{- define "bento-serving.paths" -}}
{{- $union := dict -}}
{{- range . -}}
{{- $union = merge $union .paths -}}
{{- end -}}
{{- $matches := list -}}
{{- range $path := keys $union | sortAlpha -}}
{{- $matches = append $matches (dict "type" "Exact" "value" $path) -}}
{{- end -}}
{{- $matches | default (list (dict "type" "PathPrefix" "value" "/")) | toJson -}}
{{- end -}}

{{- /*
The paths that an api of a component answers, as JSON: its route, and what BentoML puts below that of a task. Where the route ends in a
slash that has two in a row, which no route may have. Call: include "bento-serving.apiPaths" $api | fromJsonArray
*/}}
{{- define "bento-serving.apiPaths" -}}
{{- $paths := list -}}
{{- $route := .route | default "" -}}
{{- with $route -}}
{{- $paths = append $paths . -}}
{{- end -}}
{{- if and .task $route (not (hasSuffix "/" $route)) -}}
{{- range list "submit" "status" "get" "cancel" "retry" -}}
{{- $paths = append $paths (printf "%s/%s" $route .) -}}
{{- end -}}
{{- end -}}
{{- $paths | toJson -}}
{{- end -}}

{{- /*
Which headers of answers say which bundle gave them. Call: include "bento-serving.answerHeaders" $track | fromJson
*/}}
{{- define "bento-serving.answerHeaders" -}}
{{- dict "x-bento-bundle" .bundle "x-bento-track" .name | toJson -}}
{{- end -}}

{{- /*
Whether one request can have both sets of headers; empty if not. Call: include "bento-serving.agree" (dict "one" $headers "other" $headers)
*/}}
{{- define "bento-serving.agree" -}}
{{- $agree := true -}}
{{- range $name, $value := .one -}}
{{- $agree = and $agree (eq $value (get $.other $name | default $value)) -}}
{{- end -}}
{{- $agree | ternary "true" "" -}}
{{- end -}}

{{- /*
Which tracks a route may lead to, as an annotation's text: track=Service of its api, separated by commas. For a route that names only what gets
requests: the policy operators-shift-weights-only takes from here what else they may name, and no name is taken for a track's by its looks.
Call: include "bento-serving.knownTracks" $app
*/}}
{{- define "bento-serving.knownTracks" -}}
{{- $known := list -}}
{{- range .reachable -}}
{{- $known = append $known (printf "%s=%s" .name (first .apis).name) -}}
{{- end -}}
{{- join "," $known -}}
{{- end -}}

{{- /*
A duration in seconds. Call: include "bento-serving.seconds" "1h30m"
*/}}
{{- define "bento-serving.seconds" -}}
{{- $total := 0 -}}
{{- range $unit, $length := dict "h" 3600 "m" 60 "s" 1 -}}
{{- $total = regexFind (printf "[0-9]+%s" $unit) $ | trimSuffix $unit | int | mul $length | add $total -}}
{{- end -}}
{{- $total -}}
{{- end -}}

{{- /*
A size in bytes. Call: include "bento-serving.bytes" "10Mi"
*/}}
{{- define "bento-serving.bytes" -}}
{{- $kilo := regexMatch "i$" . | ternary 1024 1000 -}}
{{- $bytes := regexFind "^[0-9]+" . | int64 -}}
{{- range until (index (dict "K" 1 "M" 2 "G" 3 "T" 4) (regexFind "[A-Za-z]" . | upper)) -}}
{{- $bytes = mul $bytes $kilo -}}
{{- end -}}
{{- $bytes -}}
{{- end -}}
