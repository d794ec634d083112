import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { z } from 'zod';

const read = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');

const alertFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          for: z.string().optional(),
          labels: z.object({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.object({ summary: z.string(), action: z.string() }),
        }),
      ),
    }),
  ),
});

export function alertRules() {
  return alertFile.parse(parse(read('prometheus/alerts.yaml'))).groups.flatMap(({ rules }) => rules);
}

const dashboardFile = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).default([]) })),
});

/** The expressions of the dashboard, with the variables of Grafana filled in. */
export function dashboardExpressions(): readonly { readonly where: string; readonly expr: string }[] {
  const { panels } = dashboardFile.parse(JSON.parse(read('grafana/dashboards/keelson.json')));
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({
      where: title,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)/g, '.*'),
    })),
  );
}

export interface Used {
  readonly metrics: ReadonlySet<string>;
  /** In matchers, and in `by`, `on` and the like. */
  readonly labels: ReadonlySet<string>;
}

/**
 * The names of metrics and labels in one expression, by the grammar of Prometheus.
 *
 * @throws Error for an expression that is none.
 */
export function namesIn(expr: string): Used {
  const metrics = new Set<string>();
  const labels = new Set<string>();
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${expr}`);
      const text = () => expr.slice(node.from, node.to);
      if (node.name === 'Identifier' && node.node.parent?.name === 'VectorSelector') metrics.add(text());
      if (node.name === 'LabelName') labels.add(text());
    },
  });
  return { metrics, labels };
}
