{{- /*
The pod of a run: no right that it does not need, nothing that outlives it. Call: include "bento-platform.stepPod" (dict "root" $ "name" "prod")
*/}}
{{- define "bento-platform.stepPod" -}}
{{- $stepping := .root.Values.stepping -}}
restartPolicy: Never
serviceAccountName: bento-step
automountServiceAccountToken: true
enableServiceLinks: false
securityContext:
  {{- /* The group lets the user read the key; ssh takes a key that others may read only where it is not its own user's. */}}
  {runAsNonRoot: true, runAsUser: 1034, runAsGroup: 1034, fsGroup: 1034, seccompProfile: {type: RuntimeDefault}}
{{- with $stepping.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
containers:
  - name: step
    image: {{ printf "%s@%s" $stepping.image.repository $stepping.image.digest }}
    imagePullPolicy: IfNotPresent
    command: [/bin/sh, -c]
    args:
      - |
        {{- .root.Files.Get "stepping/step.sh" | trimSuffix "\n" | nindent 8 }}
    env:
      {{- $said := dict "WORK" "/work" "TOOLS" $stepping.image.home "BRANCH" $stepping.branch "REPOSITORY" $stepping.repository }}
      {{- $_ := merge $said (dict "ENVIRONMENT" .name "DEPLOY_KEY" "/etc/bento-step/key" "KNOWN_HOSTS" "/etc/bento-step/known_hosts") }}
      {{- range $who := list "AUTHOR" "COMMITTER" }}
      {{- $_ := set $said (printf "GIT_%s_NAME" $who) $stepping.author.name }}
      {{- $_ := set $said (printf "GIT_%s_EMAIL" $who) $stepping.author.email }}
      {{- end }}
      {{- range $key, $value := $said }}
      - {name: {{ $key }}, value: {{ $value | quote }}}
      {{- end }}
    resources:
      requests: {cpu: {{ $stepping.resources.cpu | quote }}, memory: {{ $stepping.resources.memory | quote }}}
      limits: {memory: {{ $stepping.resources.memory | quote }}}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: work, mountPath: /work}
      - {name: tmp, mountPath: /tmp}
      - {name: ssh, mountPath: /etc/bento-step, readOnly: true}
volumes:
  - name: work
    emptyDir: {sizeLimit: 2Gi}
  - name: tmp
    emptyDir: {sizeLimit: 1Gi}
  - name: ssh
    projected:
      defaultMode: 0440
      sources:
        - secret:
            name: {{ $stepping.deployKey.secret }}
            items: [{key: {{ $stepping.deployKey.key }}, path: key}]
        - configMap:
            name: bento-step
{{- end -}}
