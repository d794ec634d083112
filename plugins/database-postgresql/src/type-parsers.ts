import { createPostgreSqlTypeParsers } from '@mikro-orm/sql';
import pg from 'pg';
import array from 'postgres-array';

/** pg makes doubles of the numerics in an array, though not of a single one. */
const numericArray = 1231;

/** The types as MikroORM expects them: dates and numbers as text where it converts them itself. */
export function typeParsers(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  const texts = (text: string) => array.parse(text);
  for (const [oid, parser] of Object.entries({ ...createPostgreSqlTypeParsers(texts), [numericArray]: texts })) {
    types.setTypeParser(Number(oid), parser);
  }
  return types;
}
