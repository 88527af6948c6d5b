import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";

@Controller()
class Hello {
  @Get()
  hello(): string {
    return "Hello from NestJS\n";
  }
}

@Module({ controllers: [Hello] })
class Sample {}

async function main() {
  const app = await NestFactory.create(Sample);
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);
}

main();
