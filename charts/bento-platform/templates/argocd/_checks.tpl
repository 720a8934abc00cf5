{{- /*
What is wrong with `argocd`. Call: include "bento-platform.checkArgocd" $found , as _checks.tpl does
*/}}
{{- define "bento-platform.checkArgocd" -}}
{{- $found := . -}}
{{- $argocd := .root.Values.argocd -}}
{{- if and $argocd.enabled (not $argocd.repository) -}}
{{- $wrong := "argocd.repository: is missing; say where Argo CD reads this repository, like https://git.example.com/ml/fleet.git" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- if and $argocd.enabled (not $argocd.destinations) -}}
{{- $wrong := "argocd.destinations: there is none, so nothing would be synced; say where clusters are, like {prod-eu: {server: https://kubernetes.default.svc}}" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- $own := list -}}
{{- range $cluster, $destination := $argocd.destinations -}}
{{- if eq (empty $destination.server) (empty $destination.name) -}}
{{- $wrong := printf "argocd.destinations.%s: is found by its server or by its name; say one of them, as Argo CD knows the cluster" $cluster -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- if not $destination.namespaces -}}
{{- $own = append $own $cluster -}}
{{- end -}}
{{- end -}}
{{- if gt (len $own) 1 -}}
{{- $wrong := "say no namespaces, and `environments` are of one cluster; give the others theirs" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" (printf "argocd.destinations: %s %s" (join " and " $own) $wrong)) -}}
{{- end -}}
{{- if and $argocd.enabled $own (not .root.Values.environments) -}}
{{- $wrong := "says no namespaces, and there are no `environments` to take them from; give clusters/<cluster>/environments.yaml too (-f)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" (printf "argocd.destinations.%s: %s" (first $own) $wrong)) -}}
{{- end -}}
{{- end -}}
