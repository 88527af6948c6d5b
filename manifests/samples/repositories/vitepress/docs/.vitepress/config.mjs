import { defineConfig } from "vitepress";

export default defineConfig({ title: "Sample", description: "A page of documentation" });
