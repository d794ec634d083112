/** One metric of an exposition in the text format. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Of all its samples together, without `le`. */
  readonly labels: ReadonlySet<string>;
  readonly samples: readonly string[];
}

/** The metrics of an exposition, by name. */
export function familiesOf(exposition: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family & { labels: Set<string>; samples: string[] }>();
  let current: (Family & { labels: Set<string>; samples: string[] }) | undefined;
  for (const line of exposition.split('\n')) {
    const [, help, ofHelp = '', text = ''] = /^# (HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (help !== undefined) {
      current = { name: ofHelp, type: '', help: text, labels: new Set(), samples: [] };
      families.set(ofHelp, current);
      continue;
    }
    const [, type] = /^# TYPE \S+ (\w+)$/.exec(line) ?? [];
    if (type !== undefined && current !== undefined) {
      current = { ...current, type };
      families.set(current.name, current);
      continue;
    }
    if (line === '' || line.startsWith('#') || current === undefined) continue;
    current.samples.push(line);
    for (const [, label] of line.matchAll(/[{,]([a-zA-Z_]\w*)="/g)) if (label !== 'le') current.labels.add(label ?? '');
  }
  return families;
}

/** The metric that a series belongs to: `x_bucket`, `x_sum` and `x_count` to the histogram `x`. */
export function familyOf(families: ReadonlyMap<string, Family>, series: string): Family | undefined {
  const exact = families.get(series);
  if (exact !== undefined) return exact;
  const histogram = families.get(series.replace(/_(bucket|sum|count)$/, ''));
  return histogram?.type === 'histogram' ? histogram : undefined;
}
