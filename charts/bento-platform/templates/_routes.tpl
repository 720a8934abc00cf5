{{- /*
Where a controller keeps the weights of an application, as JSON: {group, kind, resource}; empty for `none`.
Call: include "bento-platform.routes" "gateway" | fromJson
*/}}
{{- define "bento-platform.routes" -}}
{{- $all := dict -}}
{{- $_ := set $all "gateway" (dict "group" "gateway.networking.k8s.io" "kind" "HTTPRoute" "resource" "httproutes") -}}
{{- $_ := set $all "nginx" (dict "group" "networking.k8s.io" "kind" "Ingress" "resource" "ingresses") -}}
{{- $_ := set $all "traefik" (dict "group" "traefik.io" "kind" "TraefikService" "resource" "traefikservices") -}}
{{- $_ := set $all "istio" (dict "group" "networking.istio.io" "kind" "VirtualService" "resource" "virtualservices") -}}
{{- get $all . | default dict | toJson -}}
{{- end -}}
