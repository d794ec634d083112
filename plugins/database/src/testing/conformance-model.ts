import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import type { DatabaseModel } from '../model.js';

export const Account = defineEntity({
  name: 'ConformanceAccount',
  tableName: 'conformance_account',
  properties: {
    id: p.integer().primary(),
    email: p.string(),
    balance: p.integer().default(0),
  },
});

export const Booking = defineEntity({
  name: 'ConformanceBooking',
  tableName: 'conformance_booking',
  properties: {
    id: p.integer().primary(),
    accountId: p.integer(),
    reference: p.string(),
  },
});

class CreateConformanceTables extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table conformance_account (
      id serial primary key,
      email text not null,
      balance integer not null default 0,
      constraint conformance_account_email unique (email),
      constraint conformance_account_balance check (balance >= 0))`);
    this.addSql(`create table conformance_booking (
      id serial primary key,
      account_id integer not null,
      reference text not null,
      constraint conformance_booking_account foreign key (account_id) references conformance_account (id),
      constraint conformance_booking_reference unique (reference) deferrable initially deferred)`);
  }

  override async down(): Promise<void> {
    this.addSql('drop table conformance_booking, conformance_account');
  }
}

/** The tables that the conformance suite works on: what every service of a harness must have been made with. */
export const conformanceModel: DatabaseModel = {
  entities: [Account, Booking],
  migrations: [CreateConformanceTables],
};
