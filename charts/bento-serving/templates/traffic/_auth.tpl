{{- /*
Who may ask: `external`, `jwt` or `none`. Call: include "bento-serving.required" $.Values
*/}}
{{- define "bento-serving.required" -}}
{{- $auth := (.routing | default dict).auth | default dict -}}
{{- $auth.require | default "none" -}}
{{- end -}}

{{- /*
What a controller needs for what is required, and what to do where it is missing. Call: include "bento-serving.authNeeded" $ | fromYaml
*/}}
{{- define "bento-serving.authNeeded" -}}
gateway:
  external:
    auth.external.filter: "name an object beside the route that the Gateway's class knows as a filter; the Gateway API's own is in its
      experimental channel alone"
nginx:
  external:
    auth.external.address: say where the service is asked
traefik:
  external:
    auth.external.address: say where the service is asked
istio:
  external:
    auth.external.provider: name the service as `extensionProviders` of the mesh does
    hostnames: "name the hosts: what holds at Istio's gateway holds for hosts"
  jwt:
    auth.jwt.issuer: name who makes the tokens out
    hostnames: "name the hosts: what holds at Istio's gateway holds for hosts"
{{- end -}}

{{- /*
What a controller cannot check, and why. Call: include "bento-serving.authRefused" $ | fromYaml
*/}}
{{- define "bento-serving.authRefused" -}}
gateway:
  jwt: the Gateway API knows no tokens; have an external service check them, or a policy of the Gateway's own kind
nginx:
  jwt: it checks no tokens; have an external service check them
traefik:
  jwt: its commercial edition alone checks tokens; have an external service check them
none:
  external: there is no route, only a Service, which everybody in the cluster may ask
  jwt: there is no route, only a Service, which everybody in the cluster may ask
{{- end -}}

{{- /*
The name of the Middleware that asks who may pass. A dot is in no application's name, so it is nobody else's.
Call: include "bento-serving.authName" $app
*/}}
{{- define "bento-serving.authName" -}}
{{- include "bento-serving.fitted" (dict "text" (printf "%s.auth" .name) "whole" (printf "%s.auth" .name)) -}}
{{- end -}}
