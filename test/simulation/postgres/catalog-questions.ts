/** What MikroORM asks a catalog when it compares a schema: about all tables, or about some of the schema `public`. */
export type CatalogQuestion = keyof typeof texts;

/** The statements as MikroORM writes them, with `<tables>` in the place of the names of tables. */
const texts = {
  tables: `
    select table_name, table_schema as schema_name, (select pg_catalog.obj_description(c.oid) from
    pg_catalog.pg_class c where c.oid = (select ('"' || table_schema || '"."' || table_name ||
    '"')::regclass::oid) and c.relname = table_name) as table_comment from information_schema.tables t where
    "table_schema" not like 'pg_%' and "table_schema" not like 'crdb_%' and "table_schema" not like
    '_timescaledb_%' and "table_schema" not in ('information_schema', 'tiger', 'topology') and table_name !=
    'geometry_columns' and table_name != 'spatial_ref_sys' and table_type != 'VIEW' and not exists (select 1 from
    pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace where
    c.relname = t.table_name and n.nspname = t.table_schema) order by table_name`,
  enums: `
    select t.typname as enum_name, n.nspname as schema_name, array_remove(array_agg(e.enumlabel order by
    e.enumsortorder), null) as enum_value from pg_type t left join pg_enum e on t.oid = e.enumtypid join
    pg_catalog.pg_namespace n on n.oid = t.typnamespace where t.typtype = 'e' and n.nspname in ('public') group by
    t.typname, n.nspname order by n.nspname, t.typname`,
  views: `
    select table_name as view_name, table_schema as schema_name, view_definition from information_schema.views
    where "table_schema" not like 'pg_%' and "table_schema" not like 'crdb_%' and "table_schema" not like
    '_timescaledb_%' and "table_schema" not in ('information_schema', 'tiger', 'topology') and table_name !=
    'geography_columns' and table_name != 'geometry_columns' order by table_name`,
  'materialized views': `
    select matviewname as view_name, schemaname as schema_name, definition as view_definition, ispopulated as
    is_populated from pg_matviews where "schemaname" not like 'pg_%' and "schemaname" not like 'crdb_%' and
    "schemaname" not like '_timescaledb_%' and "schemaname" not in ('information_schema', 'tiger', 'topology')
    order by matviewname`,
  columns: `
    select table_schema as schema_name, table_name, column_name, column_default, is_nullable, udt_name,
    udt_schema, pg_catalog.format_type(pga.atttypid, pga.atttypmod) format_type, coalesce(datetime_precision,
    character_maximum_length) length, atttypmod custom_length, numeric_precision, numeric_scale, data_type,
    is_identity, identity_generation, generation_expression, pg_catalog.col_description(pgc.oid,
    cols.ordinal_position::int) column_comment, coll.collname as collation_name from information_schema.columns
    cols join pg_class pgc on cols.table_name = pgc.relname join pg_attribute pga on pgc.oid = pga.attrelid and
    cols.column_name = pga.attname left join pg_collation coll on pga.attcollation = coll.oid and coll.collname <>
    'default' where ((table_schema = 'public' and table_name in (<tables>))) order by ordinal_position`,
  indexes: `
    select indrelid::regclass as table_name, ns.nspname as schema_name, relname as constraint_name,
    idx.indisunique as unique, idx.indisprimary as primary, contype, condeferrable, condeferred, array( select
    pg_get_indexdef(idx.indexrelid, k + 1, true) from generate_subscripts(idx.indkey, 1) as k order by k ) as
    index_def, pg_get_indexdef(idx.indexrelid) as expression, c.condeferrable as deferrable, c.condeferred as
    initially_deferred, i.reloptions, am.amname as index_type from pg_index idx join pg_class as i on i.oid =
    idx.indexrelid join pg_namespace as ns on i.relnamespace = ns.oid join pg_am as am on am.oid = i.relam left
    join pg_constraint as c on c.conname = i.relname where indrelid in (<tables>) and (c.contype is null or
    c.contype <> 'x') order by relname`,
  checks: `
    select ccu.table_name as table_name, ccu.table_schema as schema_name, pgc.conname as name, conrelid::regclass
    as table_from, ccu.column_name as column_name, pg_get_constraintdef(pgc.oid) as expression from pg_constraint
    pgc join pg_namespace nsp on nsp.oid = pgc.connamespace join pg_class cls on pgc.conrelid = cls.oid join
    information_schema.constraint_column_usage ccu on pgc.conname = ccu.constraint_name and nsp.nspname =
    ccu.constraint_schema and cls.relname = ccu.table_name where pgc.contype = 'c' and (ccu.table_name in
    (<tables>) and ccu.table_schema = 'public') union all select cls.relname as table_name, nsp.nspname as
    schema_name, pgc.conname as name, conrelid::regclass as table_from, null as column_name,
    pg_get_constraintdef(pgc.oid) as expression from pg_constraint pgc join pg_namespace nsp on nsp.oid =
    pgc.connamespace join pg_class cls on pgc.conrelid = cls.oid where pgc.contype = 'x' and (cls.relname in
    (<tables>) and nsp.nspname = 'public') order by schema_name, table_name, name, column_name`,
  'foreign keys': `
    select nsp1.nspname schema_name, cls1.relname table_name, nsp2.nspname referenced_schema_name, cls2.relname
    referenced_table_name, a.attname column_name, af.attname referenced_column_name, conname constraint_name,
    confupdtype update_rule, confdeltype delete_rule, array_position(con.conkey,a.attnum) as ord, condeferrable,
    condeferred, pg_get_constraintdef(con.oid) as constraint_def from pg_attribute a join pg_constraint con on
    con.conrelid = a.attrelid AND a.attnum = ANY (con.conkey) join pg_attribute af on af.attnum =
    con.confkey[array_position(con.conkey,a.attnum)] AND af.attrelid = con.confrelid join pg_namespace nsp1 on
    nsp1.oid = con.connamespace join pg_class cls1 on cls1.oid = con.conrelid join pg_class cls2 on cls2.oid =
    confrelid join pg_namespace nsp2 on nsp2.oid = cls2.relnamespace where ((cls1.relname in (<tables>) and
    nsp1.nspname = 'public')) and confrelid > 0 and con.conparentid = 0 order by nsp1.nspname, cls1.relname,
    constraint_name, ord`,
  partitions: `
    with targets(schema_name, table_name) as (values <tables>) select parent_ns.nspname as schema_name,
    parent.relname as table_name, pg_get_partkeydef(parent.oid) as partition_definition, child_ns.nspname as
    partition_schema_name, child.relname as partition_name, pg_get_expr(child.relpartbound, child.oid) as
    partition_bound from targets join pg_class parent on parent.relname = targets.table_name join pg_namespace
    parent_ns on parent_ns.oid = parent.relnamespace and parent_ns.nspname = coalesce(targets.schema_name,
    current_schema()) join pg_partitioned_table partitioned on partitioned.partrelid = parent.oid left join
    pg_inherits inherits on inherits.inhparent = parent.oid left join pg_class child on child.oid =
    inherits.inhrelid left join pg_namespace child_ns on child_ns.oid = child.relnamespace order by
    parent_ns.nspname, parent.relname, child_ns.nspname, child.relname`,
  triggers: `
    select t.trigger_name, t.event_object_schema as schema_name, t.event_object_table as table_name,
    t.event_manipulation as event, t.action_timing as timing, t.action_orientation as for_each, t.action_condition
    as when_clause, pg_get_functiondef(p.oid) as function_def, p.prosrc as function_body from
    information_schema.triggers t left join pg_namespace n on n.nspname = t.event_object_schema left join pg_proc
    p on p.proname = t.event_object_table || '_' || t.trigger_name || '_fn' and p.pronamespace = n.oid where
    ((t.event_object_schema = 'public' and t.event_object_table in (<tables>))) order by t.trigger_name,
    t.event_manipulation`,
  'row security': `
    select cls.relname as table_name, ns.nspname as schema_name, cls.relrowsecurity as enabled,
    cls.relforcerowsecurity as forced from pg_class cls join pg_namespace ns on ns.oid = cls.relnamespace where
    ((ns.nspname = 'public' and cls.relname in (<tables>)))`,
  policies: `
    select tablename as table_name, schemaname as schema_name, policyname as name, permissive, roles, cmd, qual,
    with_check from pg_policies where ((schemaname = 'public' and tablename in (<tables>))) order by policyname`,
  collation: `
    select datcollate as collation from pg_database where datname = current_database()`,
} as const;

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const inOneLine = (text: string) => text.replace(/\s+/g, ' ').trim();
const list = String.raw`([^()]+|\('public'::text, '\w+'\)(?:, \('public'::text, '\w+'\))*)`;

const patterns = Object.entries(texts).map(([about, text]) => ({
  about,
  pattern: new RegExp(`^${inOneLine(text).split('<tables>').map(escaped).join(list)}$`),
}));

/** The statement about some tables, named as it names them. */
export function catalogText(about: CatalogQuestion, tables = ''): string {
  return inOneLine(texts[about]).replaceAll('<tables>', tables);
}

/** Undefined for another statement. `tables`: the names of the tables that it is about. */
export function readCatalogQuestion(
  sql: string,
): { readonly about: CatalogQuestion; readonly tables: readonly string[] } | undefined {
  for (const { about, pattern } of patterns) {
    const found = pattern.exec(sql);
    if (found !== null && isQuestion(about)) return { about, tables: namesIn(found[1] ?? '') };
  }
  return undefined;
}

function isQuestion(text: string): text is CatalogQuestion {
  return Object.hasOwn(texts, text);
}

/** Of `'one','two'`, `'"public"."one"'::regclass` or `('public'::text, 'one')`. */
function namesIn(list: string): readonly string[] {
  const all = list.matchAll(/'(?:"public"\.)?"?(\w+)"?'(?!::text)/g);
  return [...all].map(([, name = '']) => name);
}
