/** Comments and quoted texts, in the order in which they come; one that does not end reaches to the end. */
const values =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|\be'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)/gi;
const name = String.raw`(?:"?[a-z_][a-z0-9_]{0,62}"?\.)?"?([a-z_][a-z0-9_]{0,62})"?`;
const target = new RegExp(
  String.raw`\b(?:from|into|update|table|merge\s+into|copy|call)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)?${name}`,
  'i',
);
const longest = 2_000;
const longestMemory = 500;
const known = new Map<string, StatementSummary>();

export interface StatementSummary {
  /** `SELECT`; `OTHER` for a text that begins with no word. */
  readonly command: string;
  /** The first table that it names, without quotes; undefined when there is none with a plain name. */
  readonly table: string | undefined;
  /** `SELECT orders`. */
  readonly text: string;
}

/**
 * Sums a statement up for a span: its command and its first table. Nothing else of the text is kept, so no value is. The
 * summaries of texts that come again are remembered.
 */
export function summaryOf(sql: string): StatementSummary {
  const found = known.get(sql);
  if (found !== undefined) return found;
  const summary = summarized(sql);
  if (known.size >= longestMemory) known.clear();
  if (sql.length <= longest) known.set(sql, summary);
  return summary;
}

function summarized(sql: string): StatementSummary {
  const text = sql.slice(0, longest).replaceAll(values, ' ');
  const command = /^[\s;(]*([a-z]{2,20})\b/i.exec(text)?.[1]?.toUpperCase() ?? 'OTHER';
  const table = target.exec(text)?.[1];
  return { command, table, text: table === undefined ? command : `${command} ${table}` };
}
