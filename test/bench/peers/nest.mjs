// NestJS with MikroORM's module and Terminus. Decorators are called as functions: Node runs the file as it stands.
import 'reflect-metadata';
import { EntityManager, MikroORM } from '@mikro-orm/core';
import { MikroOrmModule } from '@mikro-orm/nestjs';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import {
  Body,
  ConflictException,
  Controller,
  Get,
  Inject,
  Module,
  NotFoundException,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, MikroOrmHealthIndicator, TerminusModule } from '@nestjs/terminus';
import { ormOptions } from './model.mjs';
import { findProduct, listProducts, placeBatch, placeOrder } from './orders-with-orm.mjs';
import { settings } from './settings.mjs';

class ProductsController {
  constructor(em) {
    this.em = em;
  }

  list(limit) {
    return listProducts(this.em, limit);
  }

  async one(id) {
    const product = await findProduct(this.em, id);
    if (product === null) throw new NotFoundException();
    return product;
  }
}

class OrdersController {
  constructor(em) {
    this.em = em;
  }

  async place(line) {
    const order = await placeOrder(this.em, line);
    if (order === undefined) throw new ConflictException();
    return order;
  }

  batch({ orders }) {
    return placeBatch(this.em, orders);
  }
}

class HealthController {
  constructor(health, orm) {
    this.health = health;
    this.orm = orm;
  }

  check() {
    return this.health.check([() => this.orm.pingCheck('database')]);
  }
}

class AppModule {}

inject(ProductsController, EntityManager);
inject(OrdersController, EntityManager);
inject(HealthController, HealthCheckService, MikroOrmHealthIndicator);

Query('limit')(ProductsController.prototype, 'list', 0);
Param('id')(ProductsController.prototype, 'one', 0);
Body()(OrdersController.prototype, 'place', 0);
Body()(OrdersController.prototype, 'batch', 0);

decorateMethod(ProductsController, 'list', Get('products'));
decorateMethod(ProductsController, 'one', Get('products/:id'));
decorateMethod(OrdersController, 'place', Post('orders'));
decorateMethod(OrdersController, 'batch', Post('batch'));
decorateMethod(HealthController, 'check', Get('healthz'), HealthCheck());

const controllers = [ProductsController, OrdersController, HealthController];
for (const controller of controllers) Controller()(controller);
Module({
  imports: [MikroOrmModule.forRoot({ ...ormOptions, driver: PostgreSqlDriver }), TerminusModule],
  controllers,
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'], forceCloseConnections: true });
app.enableShutdownHooks();
await app.get(MikroORM).connect();
await app.listen(settings.port, settings.host);

function inject(target, ...dependencies) {
  for (const [index, dependency] of dependencies.entries()) Inject(dependency)(target, undefined, index);
}

function decorateMethod(target, name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
  for (const decorate of decorators) decorate(target.prototype, name, descriptor);
}
