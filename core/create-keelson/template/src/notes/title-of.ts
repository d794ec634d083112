/** Returns the first line of the text that is not empty, cut to `maxLength` characters. */
export function titleOf(text: string, maxLength: number): string {
  const line = text.split('\n').find(each => each.trim() !== '') ?? '';
  const title = line.trim();
  return title.length <= maxLength ? title : `${title.slice(0, maxLength - 1)}…`;
}
