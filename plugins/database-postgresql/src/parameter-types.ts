/**
 * Types of PostgreSQL (`pg_type.oid`) that take what a literal of a wider type would have said, or refuse it: `text`
 * keeps each character and `int4` refuses `'5.5'`, but `date` cuts the time of day off. Each with its array.
 */
const keepingValues = new Set([
  ...[16, 1000], // bool
  ...[17, 1001], // bytea
  ...[21, 1005], // int2
  ...[23, 1007], // int4
  ...[20, 1016], // int8
  ...[1700, 1231], // numeric
  ...[25, 1009], // text
  ...[1043, 1015], // varchar
  ...[2950, 2951], // uuid
  ...[114, 199], // json
  ...[3802, 3807], // jsonb
]);

/** timestamptz and its array: a value says its zone, and a column without a zone takes that of the session. */
const zoned = new Set([1184, 1185]);

/** Types that a database defines for itself: enumerations, domains, extensions. */
const firstOfDatabase = 16_384;

const utc = new Set(['UTC', 'Etc/UTC', 'GMT']);

/**
 * Whether a parameter of this type stores the same, or is refused, when its column has another type by now. PostgreSQL
 * keeps the types that it found for the parameters of a prepared statement, also when it plans the statement again
 * (`RevalidateCachedQuery`).
 */
export function keepsValues(type: number, timeZone: string | undefined): boolean {
  if (zoned.has(type)) return timeZone !== undefined && utc.has(timeZone);
  return keepingValues.has(type) || type >= firstOfDatabase;
}
