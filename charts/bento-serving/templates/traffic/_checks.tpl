{{- /*
What a controller needs, and what to do where it is missing. Call: include "bento-serving.needed" $ | fromYaml
*/}}
{{- define "bento-serving.needed" -}}
gateway:
  gateway.name: name the Gateway, or set routing.controller to none
nginx:
  ingressClass: name the IngressClass
  proxy.namespace: "name the controller's pods: they alone may reach the api"
traefik:
  proxy.namespace: "name Traefik's pods: they alone may reach the api"
istio:
  gateways: name Istio's Gateways, like istio-ingress/public
  proxy.namespace: "name the pods of Istio's gateway: they alone may reach the api"
{{- end -}}

{{- /*
What a controller cannot do, and why. Call: include "bento-serving.refused" $ | fromYaml
*/}}
{{- define "bento-serving.refused" -}}
gateway:
  tls: the certificate is the Gateway's, at its listener
  maxBody: the Gateway API knows no limit of bodies; set one for the Gateway, in a policy of its own kind
  sticky: the Gateway API has it in its experimental channel alone
nginx:
  rules: its one canary Ingress is chosen by the preview header and by weight, by nothing else
  mirror: it mirrors by a snippet alone, which is off for good reason
  sticky: its cookie holds clients on a track of weight 0 too, so an abort would not reach them
istio:
  tls: the certificate is that of Istio's Gateway
  maxBody: a VirtualService knows no limit of bodies; set one in an EnvoyFilter of the gateway
  sticky: its cookies choose a pod within a track, not the track
none:
  tls: there is no route, only a Service
  timeout: there is no route, only a Service; BentoML's own limit is traffic.timeout of the component
  maxBody: there is no route, only a Service
  sticky: there is no route, only a Service
  rules: there is no route, only a Service, which selects one track
  mirror: there is no route, only a Service, which selects one track
{{- end -}}

{{- define "bento-serving.checkRouting" -}}
{{- $app := .resolved -}}
{{- $routing := .Values.routing | default dict -}}
{{- $controller := $routing.controller | default "none" -}}
{{- range $path, $todo := get (include "bento-serving.needed" $ | fromYaml) $controller | default dict -}}
{{- $found := $routing -}}
{{- range splitList "." $path -}}
{{- $found = get ($found | default dict) . -}}
{{- end -}}
{{- if not $found -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" (printf "routing.%s: is missing; %s" $path $todo)) -}}
{{- end -}}
{{- end -}}
{{- range $key, $why := get (include "bento-serving.refused" $ | fromYaml) $controller | default dict -}}
{{- if get $routing $key -}}
{{- $wrong := printf "routing.%s: cannot be had, the controller is %s; %s: remove it" $key $controller $why -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- include "bento-serving.checkAuth" $ -}}
{{- if and $routing.sticky (not (dig "cookie" "" $routing.sticky)) -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" "routing.sticky.cookie: is missing; name the cookie") -}}
{{- end -}}
{{- if and (eq $controller "gateway") $routing.mirror (not (dig "gateway" "mirror" false $routing)) -}}
{{- $wrong := "the Gateway is not said to mirror; set routing.gateway.mirror if its class has HTTPRouteRequestPercentageMirror" -}}
{{- $wrong = printf "routing.mirror: %s: one without it answers the whole route with errors" $wrong -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- if eq $app.route "gateway" -}}
{{- include "bento-serving.checkMatches" $app -}}
{{- end -}}
{{- include "bento-serving.checkNamedTracks" $ -}}
{{- include "bento-serving.checkRules" $app -}}
{{- end -}}

{{- define "bento-serving.checkAuth" -}}
{{- $app := .resolved -}}
{{- $routing := .Values.routing | default dict -}}
{{- $controller := $routing.controller | default "none" -}}
{{- $required := include "bento-serving.required" .Values -}}
{{- with dig $controller $required "" (include "bento-serving.authRefused" $ | fromYaml) -}}
{{- $wrong := printf "routing.auth.require: cannot be had, the controller is %s; %s (found %s); use another controller, or say none if anybody may ask" $controller . $required -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- range $path, $todo := dig $controller $required dict (include "bento-serving.authNeeded" $ | fromYaml) -}}
{{- $found := $routing -}}
{{- range splitList "." $path -}}
{{- $found = get ($found | default dict) . -}}
{{- end -}}
{{- if not $found -}}
{{- $wrong := printf "routing.%s: is missing, the controller is %s, and %s is required; %s" $path $controller $required $todo -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bento-serving.checkNamedTracks" -}}
{{- $app := .resolved -}}
{{- $routing := .Values.routing | default dict -}}
{{- $named := dict -}}
{{- with $routing.canary -}}
{{- $_ := set $named "routing.canary" . -}}
{{- end -}}
{{- with $routing.mirror -}}
{{- $_ := set $named "routing.mirror.track" .track -}}
{{- end -}}
{{- range $app.rules -}}
{{- $_ := set $named (printf "routing.rules.%s.track" .name) .track -}}
{{- end -}}
{{- $names := list -}}
{{- range $app.reachable -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- range $pointer, $name := $named -}}
{{- if not (has $name $names) -}}
{{- $wrong := printf "%s: names no track that has pods (found %q); use one of: %s" $pointer $name (join ", " $names | default "none") -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- range $app.tracks -}}
{{- $leads := $routing.canary | default .name -}}
{{- if and (eq $app.route "nginx") (gt .weight 0) (ne .name $.Values.stable) (ne .name $leads) -}}
{{- $wrong := printf "routing.canary: is the one track beside stable that gets requests (found %q, and %s has %d)" $leads .name .weight -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" (printf "%s; make it %s" $wrong .name)) -}}
{{- end -}}
{{- end -}}
{{- if and $routing.canary (eq (toString $routing.canary) (toString .Values.stable)) -}}
{{- $wrong := printf "routing.canary: is stable itself (found %q); name another track, or none" $routing.canary -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}

{{- define "bento-serving.checkRules" -}}
{{- $app := . -}}
{{- range $place, $rule := .rules -}}
{{- $at := printf "routing.rules.%s" $rule.name -}}
{{- if hasKey $rule.headers "x-bento-track" -}}
{{- $wrong := printf "%s.headers: x-bento-track asks for a track itself; match another header" $at -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- range $other := slice $app.rules 0 $place -}}
{{- $meet := "" -}}
{{- range $one := $rule.combinations -}}
{{- range $another := $other.combinations -}}
{{- $meet = printf "%s%s" $meet (include "bento-serving.agree" (dict "one" $one "other" $another)) -}}
{{- end -}}
{{- end -}}
{{- if and $meet (eq $rule.precedence $other.precedence) (ne $rule.track $other.track) -}}
{{- $wrong := printf "%s: one request may match it and %s, which leads to %s" $at $other.name $other.track -}}
{{- $wrong = printf "%s (found %s, both of precedence %d); give one a higher precedence" $wrong $rule.track $rule.precedence -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
How much one HTTPRoute holds, which only its own rules in CEL would say, at the API server.
Call: include "bento-serving.checkMatches" $app ; it returns nothing.
*/}}
{{- define "bento-serving.checkMatches" -}}
{{- $most := 0 -}}
{{- $total := len .paths -}}
{{- range $track := .reachable -}}
{{- $matches := include "bento-serving.matches" (dict "app" $ "track" $track) | fromJsonArray | len -}}
{{- $most = max $most $matches -}}
{{- $total = add $total $matches -}}
{{- end -}}
{{- $found := printf "a route holds 64 matches a track and 128 in all (found %d and %d)" (int $most) (int $total) -}}
{{- if or (gt (len .paths) 64) (gt (len .reachable | add 1 | mul (len .paths) | int) 128) -}}
{{- $wrong := printf "routing.controller: %s: every path for each track and once for all" $found -}}
{{- $wrong = printf "%s; have fewer APIs (a task has six paths), or another controller" $wrong -}}
{{- include "bento-serving.wrong" (dict "app" . "wrong" $wrong) -}}
{{- else if or (gt (int $most) 64) (gt (int $total) 128) (gt (len .reachable) 15) -}}
{{- $wrong := printf "routing.rules: %s, every path times every combination of values; name fewer values" $found -}}
{{- include "bento-serving.wrong" (dict "app" . "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
