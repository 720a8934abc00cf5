{{- /*
What the schema of the values cannot say of the gateway. Called by "bento-platform.checks" alone.
*/}}
{{- define "bento-platform.checkGateway" -}}
{{- $found := . -}}
{{- $gateway := .root.Values.gateway -}}
{{- if $gateway.enabled -}}
{{- if not $gateway.className -}}
{{- $wrong := "gateway.className: is missing; name a GatewayClass of the cluster (kubectl get gatewayclasses)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- if not $gateway.listeners -}}
{{- $wrong := "gateway.listeners: there is none, so nothing could come in; add one, like {http: {port: 80, protocol: HTTP}}" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- if not .root.Values.environments -}}
{{- $wrong := "gateway.enabled: no environment could use it; give clusters/<cluster>/environments.yaml too (-f)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- range $name, $listener := $gateway.listeners -}}
{{- if ne (eq $listener.protocol "HTTPS") (not (empty $listener.certificate)) -}}
{{- $wrong := printf "gateway.listeners.%s.certificate: HTTPS needs one, HTTP has none (protocol %s); correct either" $name $listener.protocol -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
