import { readFileSync, writeFileSync } from 'node:fs';
import type { Observed } from './story.js';

export const page = new URL('../../docs/observability.md', import.meta.url);

/** How each block is marked on the page. */
const languages: Readonly<Record<keyof Observed, string>> = {
  configuration: 'yaml',
  request: 'text',
  lines: 'json',
  trace: 'text',
  span: 'json',
  envelope: 'json',
  metrics: 'text',
  health: 'text',
  healed: 'text',
  status: 'text',
  console: 'json',
};

export const blocks = Object.keys(languages) as (keyof Observed)[];

const frameOf = (block: keyof Observed) =>
  new RegExp(`(<!-- ${block}: begin -->\\n)[\\s\\S]*?(<!-- ${block}: end -->)`);

/** The content of one block of the page. */
export function blockOf(block: keyof Observed): string {
  const [framed = ''] = frameOf(block).exec(readFileSync(page, 'utf8')) ?? [];
  return /```\w+\n([\s\S]*)\n```/.exec(framed)?.[1] ?? '';
}

export function writeBlocks(observed: Observed): void {
  let text = readFileSync(page, 'utf8');
  for (const block of blocks) {
    const content = `\`\`\`${languages[block]}\n${observed[block]}\n\`\`\`\n`;
    text = text.replace(frameOf(block), (_all, begin: string, end: string) => `${begin}${content}${end}`);
  }
  writeFileSync(page, text);
}

/**
 * The names in a block: keys of JSON and of `keelson status`, metrics and their labels, spans, messages and codes. Values that
 * differ from run to run are not among them.
 */
export function namesIn(content: string): ReadonlySet<string> {
  const patterns = [
    /"([A-Za-z][\w.:-]*)":/g,
    /^ *([a-zA-Z][\w-]*):/gm,
    /^([a-z]\w+)\{/gm,
    /[{,] ?([a-z]\w*)="/g,
    /\b([A-Z]+_[A-Z_]+)\b/g,
    /"msg":"([^"]+)"/g,
    /^ *([a-z.]+|[A-Z]+(?: [/\w]+)?)(?: \d+)? +[0-9a-f]{16} /gm,
  ];
  return new Set(patterns.flatMap(pattern => [...content.matchAll(pattern)].map(([, name = '']) => name)));
}

/** The names in the text of the page, which are set as code. */
export function namesInText(): readonly string[] {
  const text = readFileSync(page, 'utf8').replaceAll(/```\w+\n[\s\S]*?\n```/g, '');
  const names = [...text.matchAll(/`([^`\n]+)`/g)].map(([, name = '']) => name);
  return [...new Set(names)];
}
