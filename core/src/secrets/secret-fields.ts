/** Which keys of an object hold a secret, for the objects that a configuration was parsed to. */
const secretFields = new WeakMap<object, Set<string>>();
let any = false;

/** From now on the value under `key` of this very object is masked in every log line and event, however short it is. */
export function addSecretField(object: object, key: string): void {
  const keys = secretFields.get(object) ?? new Set();
  secretFields.set(object, keys.add(key));
  any = true;
}

export function isSecretField(object: object, key: string): boolean {
  return secretFields.get(object)?.has(key) === true;
}

export function hasSecretFields(): boolean {
  return any;
}
