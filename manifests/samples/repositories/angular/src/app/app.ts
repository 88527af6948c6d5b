import { Component, signal } from "@angular/core";

@Component({
  selector: "app-root",
  template: "<h1>Hello from {{ name() }}</h1>",
})
export class App {
  protected readonly name = signal("Angular");
}
