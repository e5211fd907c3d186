/** What this folder uses of WebAssembly, which Node.js has as a global. */
declare const WebAssembly: {
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};
export type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number };

/** Memory grows by pages of 64 KiB; a module keeps the first for itself. */
export const page = 65536;

/** Compiles a module that lies in the sources as base64. */
export function compileModule(module: string): object {
	return new WebAssembly.Module(Uint8Array.from(atob(module), (char) => char.charCodeAt(0)));
}

/** What a new instance of a module exports; its memory is its own. */
export function instantiate(compiled: object): unknown {
	return new WebAssembly.Instance(compiled, {}).exports;
}
