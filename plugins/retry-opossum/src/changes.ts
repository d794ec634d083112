/** One value that differs between two sets of options. */
export interface Change {
  /** `policies.default.maxAttempts`. */
  readonly path: string;
  /** Undefined when it was not there before. */
  readonly from: unknown;
  /** Undefined when it is not there any more. */
  readonly to: unknown;
}

/** Every value that differs, in the order of their paths. */
export function changesBetween(before: object, after: object): readonly Change[] {
  const from = new Map(leavesOf(before));
  const to = new Map(leavesOf(after));
  const paths = [...new Set([...from.keys(), ...to.keys()])].sort();
  return paths
    .map(path => ({ path, from: from.get(path), to: to.get(path) }))
    .filter(change => change.from !== change.to);
}

function leavesOf(value: object, prefix = ''): [path: string, value: unknown][] {
  return Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null ? leavesOf(inner, `${prefix}${key}.`) : [[prefix + key, inner]],
  );
}
