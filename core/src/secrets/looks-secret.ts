/** By the name of a variable: whether its value is better not shown, whatever field it was put in. */
export function looksSecret(name: string): boolean {
  return /pass(word|wd|phrase)?|secret|token|credential|private|dsn|api_?key|access_?key/i.test(name);
}
