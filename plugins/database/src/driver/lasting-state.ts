/** Space, comments and empty statements before the first word. */
const skipped = String.raw`^(?:[\s;]|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*`;

/** Commands that are known by their first words: SET but not SET LOCAL, LISTEN, PREPARE, LOAD. */
export const commandPattern = new RegExp(
  String.raw`${skipped}(?:set\s+(?!(?:local|transaction|constraints)\b)|listen\b|load\b|prepare\s+(?!transaction\b))`,
  'i',
);

/** What a DO block may do of these, without more reading. */
const block = new RegExp(String.raw`${skipped}do\b[\s\S]*\b(?:set(?!\s+local\b)|execute|listen|load)\b`, 'i');

/** Functions and clauses that can stand anywhere in a statement. */
const parts = [
  'pg_(?:try_)?advisory_lock',
  String.raw`set_config\s*\(`,
  String.raw`set(?:seed|_limit)\s*\(`,
  'dblink_connect',
  String.raw`pg_temp\s*\.`,
  String.raw`\bcreate\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?temp(?:orary)?\s`,
  String.raw`(?<!\b(?:insert|merge)\s+)\binto\s+(?:(?:local|global)\s+)?temp(?:orary)?\s`,
  String.raw`\bwith\s+hold\b`,
];
export const partPattern = new RegExp(parts.join('|'), 'i');

/** What ends with the transaction all the same: a setting of its own, a table ON COMMIT DROP. */
export const forTransaction =
  /set_config\s*\((?:[^()']|'(?:[^']|''){0,500}'|\((?:[^()]|\([^()]{0,500}\)){0,500}\)){0,500},\s*true\s*\)|\bcreate\s+(?:(?:local|global)\s+)?temp(?:orary)?\s[^;]{0,2000}?\bon\s+commit\s+drop\b/gi;

/**
 * Whether a statement may leave its connection in a state that outlives the transaction: settings, a role, locks of the
 * session, temporary tables, subscriptions, prepared statements, held cursors. Rather too often than not; it does not see
 * into functions that are called.
 */
export function leavesState(sql: string): boolean {
  if (commandPattern.test(sql) || block.test(sql)) return true;
  return partPattern.test(sql) && partPattern.test(sql.replaceAll(forTransaction, ''));
}
