import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const Note = defineEntity({
  name: 'Note',
  tableName: 'notes',
  properties: {
    id: p.uuid().primary(),
    title: p.text(),
    text: p.text(),
    createdAt: p.datetime(),
  },
});

export type Note = InferEntity<typeof Note>;
