/** Overrides a method of MikroORM that its types hide, on the prototype of a subclass of ours. */
export function overrideHidden<Target extends object, Given extends unknown[], Result>(
  prototype: Target,
  name: string,
  override: (target: Target, original: (...given: Given) => Result, ...given: Given) => Result,
): void {
  const original: unknown = Reflect.get(prototype, name);
  if (typeof original !== 'function') throw new TypeError(`MikroORM has no ${name}.`);
  Reflect.defineProperty(prototype, name, {
    value(this: Target, ...given: Given): Result {
      return override(this, (...passed) => Reflect.apply(original, this, passed), ...given);
    },
  });
}
