type Method = (...given: never[]) => unknown;

/** Puts `make(original)` in the place of a method of MikroORM that its types hide. */
export function replaceMethod<M extends Method>(target: object, name: string, make: (original: M) => M): void {
  const original: unknown = Reflect.get(target, name);
  const bound: unknown = typeof original === 'function' ? original.bind(target) : undefined;
  if (!isMethod<M>(bound)) throw new TypeError(`MikroORM has no ${name}.`);
  Reflect.set(target, name, make(bound));
}

function isMethod<M extends Method>(value: unknown): value is M {
  return typeof value === 'function';
}
