import { randomBytes } from 'node:crypto';
import type { DatabaseModel, OpenSessionOptions } from '@keelson/database';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from './database.js';
import { createPostgresqlService, type PostgresqlService } from './postgresql-service.js';

export const Paper = defineEntity({
  name: 'Paper',
  tableName: 'paper',
  properties: {
    id: p.integer().primary(),
    tenant: p.string().defaultRaw("current_setting('app.tenant')"),
    title: p.string(),
  },
});

/** Rows that only their tenant sees, unless a role owns the table or bypasses the policies. */
class CreatePapers extends Migration {
  override async up(): Promise<void> {
    this.addSql(
      "create table paper (id serial primary key, tenant text not null default current_setting('app.tenant'), title text not null unique)",
    );
    this.addSql('alter table paper enable row level security');
    this.addSql("create policy own_rows on paper using (tenant = current_setting('app.tenant', true))");
  }
}

export const papers: DatabaseModel = { entities: [Paper], migrations: [CreatePapers] };

export interface TenantDatabase extends AsyncDisposable {
  readonly testDatabase: TestDatabase;
  /** May read and write papers, and is held to the policies, which the owner of the table is not. */
  readonly role: string;
  readonly admin: pg.Client;
  session(tenant: string): Required<Pick<OpenSessionOptions, 'session'>>;
  /** On the same database, closed with it. */
  service(options?: Parameters<typeof createPostgresqlService>[0]['options'], url?: string): Promise<PostgresqlService>;
}

/** A database with papers, and a role that the role of the connection may become. */
export async function createTenantDatabase(): Promise<TenantDatabase> {
  const testDatabase = await createTestDatabase();
  const role = `tenant_${randomBytes(4).toString('hex')}`;
  const login = new URL(testDatabase.url).username;
  const services: PostgresqlService[] = [];
  const service: TenantDatabase['service'] = async (options = {}, url = testDatabase.url) => {
    const made = createPostgresqlService({ url, options, models: [papers] });
    services.push(made);
    await made.database.connect();
    return made;
  };
  const owner = await service();
  await owner.database.migrate();
  const admin = new pg.Client(testDatabase.adminUrl);
  await admin.connect();
  await admin.query(`create role ${role}; grant ${role} to ${login}`);
  await admin.query(`grant select, insert, update, delete on paper to ${role}; grant usage on paper_id_seq to ${role}`);
  return {
    testDatabase,
    role,
    admin,
    session: tenant => ({ session: { variables: { 'app.tenant': tenant }, role } }),
    service,
    async [Symbol.asyncDispose]() {
      for (const made of services) await made[Symbol.asyncDispose]();
      await admin.query(`drop owned by ${role}; drop role ${role}`);
      await admin.end();
      await testDatabase[Symbol.asyncDispose]();
    },
  };
}
