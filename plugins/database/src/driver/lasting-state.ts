import type { Statement, StatementResult } from './driver.js';

/** Space, comments and empty statements before the first word. */
const skipped = String.raw`^(?:[\s;]|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*`;
/** Space and comments between two words. */
const gap = String.raw`(?:\s|--[^\n]{0,200}\n|/\*[^*]{0,200}\*/){1,20}`;

/** Commands that are known by their first words: SET but not SET LOCAL, LISTEN, PREPARE, LOAD. */
export const commandPattern = new RegExp(
  String.raw`${skipped}(?:set\s+(?!(?:local|transaction|constraints)\b)|listen\b|load\b|prepare\s+(?!transaction\b))`,
  'i',
);

const definition = new RegExp(String.raw`${skipped}(?:create|alter|drop)\b`, 'i');

/** Whether a statement begins as one that defines tables and the like. */
export function isDefinition(sql: string): boolean {
  return definition.test(sql);
}

/** What a DO block may do of these, without more reading. */
const block = new RegExp(String.raw`${skipped}do\b[\s\S]*\b(?:set(?!\s+local\b)|execute|listen|load)\b`, 'i');

/** Functions and clauses that can stand anywhere in a statement. A name may be quoted, or written with codes. */
const parts = [
  'pg_(?:try_)?advisory_lock',
  String.raw`\bset_config\b`,
  String.raw`\bset(?:seed|_limit)"?\s*\(`,
  'dblink_connect',
  String.raw`\bpg_temp(?:_\d+)?"?\s*\.`,
  String.raw`\bcreate${gap}(?:or${gap}replace${gap})?(?:(?:local|global)${gap})?temp(?:orary)?\s`,
  String.raw`(?<!\b(?:insert|merge)\s+)\binto${gap}(?:(?:local|global)${gap})?temp(?:orary)?\s+(?!from\b)`,
  String.raw`\bwith\s+hold\b`,
  String.raw`\bupdate${gap}(?:only${gap})?(?:"?pg_catalog"?\.)?"?pg_settings\b`,
  String.raw`\bu&"`,
];
export const partPattern = new RegExp(parts.join('|'), 'i');

/** What ends with the transaction all the same: a setting of its own, a table ON COMMIT DROP. */
export const forTransaction =
  /set_config\s*\((?:[^()']|'(?:[^']|''){0,500}'|\((?:[^()]|\([^()]{0,500}\)){0,500}\)){0,500},\s*(?:is_local\s*[:=][=>]\s*)?true\s*(?:::\s*bool(?:ean)?\s*)?\)|\bcreate\s+(?:(?:local|global)\s+)?temp(?:orary)?\s[^;]{0,800}?\bon\s+commit\s+drop\b/gi;

/**
 * Whether a statement may leave its connection in a state that outlives the transaction: settings, a role, locks of the
 * session, temporary tables, subscriptions, prepared statements, held cursors. In doubt true. It does not look into the
 * functions that the statement calls: `LastingNames` does.
 */
export function leavesState(sql: string): boolean {
  return commandPattern.test(sql) || block.test(sql) || hasLastingPart(sql);
}

/** The same for a part of a text. */
function hasLastingPart(text: string): boolean {
  return partPattern.test(text) && partPattern.test(text.replaceAll(forTransaction, ''));
}

const endsWithTransaction = /\bset\s+(?:local|transaction|constraints)\b/gi;

/**
 * Whether statements have left a state, judged by the command tags of the server. They are right whatever stands before the
 * first words of a statement.
 */
export function hasLeftState(statements: readonly Statement[], results: readonly StatementResult[]): boolean {
  let set = 0;
  for (const { command } of results) {
    if (command === 'LISTEN' || command === 'LOAD') return true;
    if (command === 'PREPARE' && !statements.some(({ sql }) => /\bprepare\s+transaction\b/i.test(sql))) return true;
    if (command === 'DECLARE' && statements.some(({ sql }) => /\bhold\b/i.test(sql))) return true;
    if (command === 'SET') set += 1;
  }
  if (set === 0) return false;
  return set > statements.reduce((sum, { sql }) => sum + (sql.match(endsWithTransaction)?.length ?? 0), 0);
}

/** SET where a command of PL/pgSQL begins, or a text that it executes: not the SET of an UPDATE. */
const commandInBody =
  /(?:^|;|['"$]|\b(?:begin|then|else|loop|atomic))\s*(?:listen|load|prepare)\s|(?:^|;|\b(?:begin|then|else|loop|atomic))\s*set\s+(?!(?:local|constraints|transaction)\b)|['$]set\s+(?!(?:local|constraints|transaction)\b)/i;

/** What in the body of a function or a DO block may leave a state; undefined when nothing is seen to. */
export function lastingPartOf(body: string): string | undefined {
  const code = body.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ');
  return (
    commandInBody.exec(code)?.[0].match(/\w+(?=\s*$)/)?.[0] ??
    partPattern.exec(code.replaceAll(forTransaction, ''))?.[0]
  );
}

const defining = new Set(['CREATE', 'ALTER', 'DROP']);
const inBlock = /\b(?:create|alter|drop|execute|call)\b/i;
/** Seen by its session only. */
const temporary = /^\s*create\s+(?:(?:local|global)\s+)?temp(?:orary)?\s+table\b/i;

/** Whether statements may have changed functions, tables or views of the database; temporary tables do not count. */
export function hasDefined(statements: readonly Statement[], results: readonly StatementResult[]): boolean {
  let defined = 0;
  for (const { command } of results) {
    if (command === 'DO' && statements.some(({ sql }) => inBlock.test(sql))) return true;
    if (defining.has(command)) defined += 1;
  }
  return defined > 0 && defined > statements.filter(({ sql }) => temporary.test(sql)).length;
}
