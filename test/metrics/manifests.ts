import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

const folder = fileURLToPath(new URL('../../deploy/kubernetes/', import.meta.url));

const manifest = z.looseObject({ apiVersion: z.string(), kind: z.string() });
export type Manifest = z.infer<typeof manifest>;

/** Every manifest of deploy/kubernetes, with the file it is in. */
export function manifests(): readonly { readonly file: string; readonly content: Manifest }[] {
  const files = globSync('*.yaml', { cwd: folder })
    .filter(file => file !== 'kustomization.yaml')
    .sort();
  return files.flatMap(file =>
    parseAllDocuments(readFileSync(`${folder}${file}`, 'utf8')).map(document => ({
      file,
      content: manifest.parse(document.toJS()),
    })),
  );
}

const probe = z.object({
  httpGet: z.object({ path: z.string(), port: z.string() }),
  periodSeconds: z.number(),
  failureThreshold: z.number(),
});

const container = z.object({
  image: z.string(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  env: z.array(z.object({ name: z.string(), value: z.string().optional() })),
  lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }).optional(),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  resources: z.object({ requests: z.record(z.string(), z.string()), limits: z.record(z.string(), z.string()) }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.boolean(),
    readOnlyRootFilesystem: z.boolean(),
    capabilities: z.object({ drop: z.array(z.string()) }),
  }),
});

const labels = z.record(z.string(), z.string());

/** As far as tests look at it. */
export const deployment = z.object({
  spec: z.object({
    replicas: z.number(),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.object({ runAsNonRoot: z.boolean(), runAsUser: z.number() }),
        containers: z.tuple([container]),
      }),
    }),
  }),
});

export const service = z.object({
  metadata: z.object({ name: z.string(), labels }),
  spec: z.object({
    selector: labels,
    ports: z.array(z.object({ name: z.string(), port: z.number(), targetPort: z.string() })),
  }),
});

export const serviceMonitor = z.object({
  spec: z.object({
    selector: z.object({ matchLabels: labels }),
    endpoints: z.tuple([z.object({ port: z.string(), path: z.string() })]),
  }),
});

export function ofKind<T>(kind: string, schema: z.ZodType<T>): readonly T[] {
  return manifests()
    .filter(({ content }) => content.kind === kind)
    .map(({ content }) => schema.parse(content));
}
