import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** What a line begins with, or holds, and how that part looks. */
const styles: readonly (readonly [RegExp, Style])[] = [
  [/^ok(?= {2})/gm, 'green'],
  [/^warn(?= {2})/gm, 'yellow'],
  [/^warning:/gm, 'yellow'],
  [/^FAIL(?= {2})/gm, 'red'],
  [/\b[A-Z]{3,}_[A-Z_]+$/gm, 'red'],
  [/^ *-> .*$/gm, 'cyan'],
  [/^ *Did you mean .*\?$/gm, 'yellow'],
  [/ ready in \d+ ms$/gm, 'green'],
];

/** The text in colours where `stream` is a terminal that shows them and `NO_COLOR` is not set. */
export function paint(text: string, stream: NodeJS.WriteStream): string {
  // hasColors respects NO_COLOR.
  if (!stream.isTTY || !stream.hasColors()) return text;
  return styles.reduce(
    (painted, [part, style]) => painted.replaceAll(part, found => styleText(style, found, { validateStream: false })),
    text,
  );
}
