import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Kernel } from '@keelson/core';
import { metricsPrometheusOptions } from '@keelson/metrics-prometheus';
import { PrometheusRule, ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { Ajv } from 'ajv';
import { Deployment } from 'kubernetes-models/apps/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { deployment, manifests, ofKind, service, serviceMonitor } from './manifests.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

/** What checks each kind, and the type of it. */
const kinds = {
  Deployment: { model: Deployment, from: 'kubernetes-models/apps/v1', type: 'IDeployment' },
  Service: { model: Service, from: 'kubernetes-models/v1', type: 'IService' },
  PodDisruptionBudget: {
    model: PodDisruptionBudget,
    from: 'kubernetes-models/policy/v1',
    type: 'IPodDisruptionBudget',
  },
  ServiceMonitor: {
    model: ServiceMonitor,
    from: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    type: 'IServiceMonitor',
  },
  PrometheusRule: {
    model: PrometheusRule,
    from: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    type: 'IPrometheusRule',
  },
};

const kindOf = ({ kind }: { kind: string }) => z.enum(Object.keys(kinds) as [keyof typeof kinds]).parse(kind);

/** Type-checks `text`, which the schemas cannot do for names of fields: they allow any. */
async function typeErrors(text: string): Promise<string> {
  const folder = `${root}node_modules/.cache/keelson/manifests-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/manifests.ts`;
  writeFileSync(file, text);
  const words = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--types',
    '',
    file,
  ];
  try {
    return await promisify(execFile)(`${root}node_modules/.bin/tsc`, words).then(
      () => '',
      ({ stdout }) => String(stdout),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const typed = (contents: readonly { kind: string }[]) =>
  contents
    .map((content, index) => {
      const { from, type } = kinds[kindOf(content)];
      return `export const manifest${index}: import('${from}').${type} = ${JSON.stringify(content)};`;
    })
    .join('\n');

describe('the manifests of Kubernetes', () => {
  const [{ spec }] = ofKind('Deployment', deployment) as [z.infer<typeof deployment>];
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const portNamed = (name: string) => container.ports.find(port => port.name === name)?.containerPort;
  const variables = Object.fromEntries(container.env.map(({ name, value }) => [name, value ?? 'https://key@host/1']));
  let plan: Awaited<ReturnType<typeof Kernel.plan>>;

  beforeAll(async () => {
    const { KEELSON_ENV, ...others } = variables;
    plan = await Kernel.plan({
      config: `${root}examples/orders/keelson.yaml`,
      ...(KEELSON_ENV !== undefined && { environment: KEELSON_ENV }),
      variables: { ...others, DATABASE_URL: 'postgresql://user@host/orders' },
    });
  });

  test.each(manifests().map(({ file, content }) => [file, content.kind, content] as const))(
    '%s: the %s is valid',
    (_file, _kind, content) => {
      const { model } = kinds[kindOf(content)];
      expect(() => new model(content as never).validate()).not.toThrow();
    },
  );

  test('have no field that there is not', async () => {
    expect(await typeErrors(typed(manifests().map(({ content }) => content)))).toBe('');
    const misspelt = { apiVersion: 'v1', kind: 'Service', spec: { selectr: {} } };
    expect(await typeErrors(typed([misspelt]))).toContain('"selectr"\' does not exist');
  }, 60_000);

  test('are all in the kustomization', () => {
    const { resources } = z
      .object({ resources: z.array(z.string()) })
      .parse(parse(read('deploy/kubernetes/kustomization.yaml')));
    expect(resources.toSorted()).toEqual([...new Set(manifests().map(({ file }) => file))].sort());
  });

  test('set what the configuration of the service needs', () => {
    expect(plan.problems).toEqual([]);
    const values = (key: string) => plan.plugins.find(plugin => plugin.key === key)?.config;
    const ports = z.object({ port: z.number(), admin: z.object({ port: z.number() }) }).parse(values('http'));
    expect([portNamed('http'), portNamed('admin')]).toEqual([ports.port, ports.admin.port]);
    expect(plan.plugins.map(({ key }) => key)).toEqual(expect.arrayContaining(['metrics', 'health', 'telemetry']));
  });

  test('give the service longer to stop than it takes at most, and to start than it may take', () => {
    const { shutdown, startup } = plan.settings;
    const preStopMs = (container.lifecycle?.preStop.sleep.seconds ?? 0) * 1_000;
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(preStopMs + shutdown.budgetMs);
    expect(shutdown.noticeMs + shutdown.drainMs).toBeLessThan(shutdown.budgetMs);
    const { startupProbe, readinessProbe } = container;
    expect(preStopMs + shutdown.noticeMs).toBeGreaterThanOrEqual(readinessProbe.periodSeconds * 1_000);
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold * 1_000).toBeGreaterThanOrEqual(
      startup.timeoutMs,
    );
  });

  test('ask the probes of the admin port, and liveness of nothing outside of the process', () => {
    const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe];
    expect(probes.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/startupz', port: 'admin' },
      { path: '/readyz', port: 'admin' },
      { path: '/livez', port: 'admin' },
    ]);
  });

  test('run it without rights: not as root, nothing written but to /tmp', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(read('examples/orders/Dockerfile')).toContain('\nUSER node\n');
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.requests.memory).toBeDefined();
    expect(container.resources.limits.memory).toBeDefined();
  });

  test('lead to each other: services to pods, the monitor to the service of the admin port', () => {
    const podLabels = spec.template.metadata.labels;
    expect(podLabels).toMatchObject(spec.selector.matchLabels);
    const services = ofKind('Service', service);
    for (const { spec: of } of services) {
      expect(podLabels).toMatchObject(of.selector);
      for (const { targetPort } of of.ports) expect(portNamed(targetPort)).toBeDefined();
    }
    const [monitor] = ofKind('ServiceMonitor', serviceMonitor);
    const wanted = Object.entries(monitor?.spec.selector.matchLabels ?? {});
    const found = services.filter(({ metadata }) => wanted.every(([label, value]) => metadata.labels[label] === value));
    expect(found.map(({ metadata }) => metadata.name)).toEqual(['orders-admin']);
    const [endpoint] = monitor?.spec.endpoints ?? [];
    expect(found[0]?.spec.ports.map(({ name }) => name)).toEqual([endpoint?.port]);
    expect(endpoint?.path).toBe(metricsPrometheusOptions.parse({}).path);
  });

  test('have the alerts of Prometheus', () => {
    const rules = z.object({ groups: z.array(z.unknown()) });
    const [{ spec: inKubernetes }] = ofKind('PrometheusRule', z.object({ spec: rules })) as [
      { spec: z.infer<typeof rules> },
    ];
    expect(inKubernetes).toEqual(rules.parse(parse(read('deploy/prometheus/alerts.yaml'))));
  });
});

/** The specification of Compose, as the linter dclint has it. */
const { $schema: _draft, ...composeSchema } = z
  .looseObject({ $schema: z.string() })
  .parse(JSON.parse(read('node_modules/dclint/schemas/compose.schema.json')));

describe('Compose', () => {
  const files = ['docker-compose.yml', 'deploy/docker-compose.metrics.yml'];
  const compose = z.object({
    services: z.record(
      z.string(),
      z.looseObject({
        environment: z.record(z.string(), z.string()).default({}),
        volumes: z.array(z.string()).default([]),
        ports: z.array(z.string()).default([]),
      }),
    ),
  });
  const { services } = compose.parse(parse(read('deploy/docker-compose.metrics.yml')));

  test.each(files)('%s is valid', file => {
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(composeSchema);
    validate(parse(read(file)));
    expect(validate.errors).toBeNull();
    validate({ services: { orders: { imagee: 'orders' } } });
    expect(validate.errors).toMatchObject([{ params: { additionalProperty: 'imagee' } }]);
  });

  test('mounts what is there, and publishes to this machine alone', () => {
    for (const { volumes, ports } of Object.values(services)) {
      for (const volume of volumes.filter(each => each.startsWith('./'))) {
        expect(() => read(`${volume.split(':')[0]?.slice(2)}/.`), volume).toThrow('EISDIR');
      }
      for (const published of ports) expect(published).toMatch(/^127\.0\.0\.1:/);
    }
  });

  test('has Prometheus scrape the admin port of the service', async () => {
    const scraped = z.object({
      scrape_configs: z.tuple([z.object({ static_configs: z.tuple([z.object({ targets: z.tuple([z.string()]) })]) })]),
    });
    const [{ static_configs }] = scraped.parse(parse(read('deploy/prometheus/prometheus.yaml'))).scrape_configs;
    const { KEELSON_HTTP__ADMIN__PORT, KEELSON_METRICS__USE } = services.orders?.environment ?? {};
    expect(static_configs[0].targets[0]).toBe(`orders:${KEELSON_HTTP__ADMIN__PORT}`);
    expect(KEELSON_METRICS__USE).toBe('@keelson/metrics-prometheus');
    const { problems } = await Kernel.plan({
      config: `${root}examples/orders/keelson.yaml`,
      environment: 'postgres',
      variables: { DATABASE_URL: 'postgresql://user@host/orders', ...services.orders?.environment },
    });
    expect(problems).toEqual([]);
  });

  test('has Grafana show the dashboard on that Prometheus', () => {
    const source = z.object({ datasources: z.tuple([z.object({ type: z.string(), url: z.string() })]) });
    const { datasources } = source.parse(parse(read('deploy/grafana/provisioning/datasources/prometheus.yaml')));
    expect(datasources[0]).toEqual({ type: 'prometheus', url: 'http://prometheus:9090' });
    const provider = z.object({ providers: z.tuple([z.object({ options: z.object({ path: z.string() }) })]) });
    const { providers } = provider.parse(parse(read('deploy/grafana/provisioning/dashboards/keelson.yaml')));
    const mounted = services.grafana?.volumes.map(volume => volume.split(':')[1]);
    expect(mounted).toContain(providers[0].options.path);
    const home = services.grafana?.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
    expect(home).toBe(`${providers[0].options.path}/keelson.json`);
  });
});
