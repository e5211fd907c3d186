/** The compiled loops of `wasm/tridiagonal.ts`, with memory of their own. */
import { tridiagonalModule } from './tridiagonal.wasm.ts';

/** What this folder uses of WebAssembly, which Node.js has as a global. */
declare const WebAssembly: {
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

type Exports = {
	readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
	readonly tridiagonalize: (
		a: number,
		n: number,
		diagonal: number,
		below: number,
		tau: number,
		work: number,
	) => void;
	readonly ql: (
		diagonal: number,
		below: number,
		n: number,
		rows: number,
		width: number,
		tiny: number,
	) => number;
};

export type Kernel = Pick<Exports, 'tridiagonalize' | 'ql'> & {
	/** Reserves doubles; gives a pointer. */
	take(length: number): number;
	view(pointer: number, length: number): Float64Array;
};

const page = 65536;
let compiled: object | undefined;

/** An instance that can hold `doubles` numbers; its memory goes with it. */
export function openKernel(doubles: number): Kernel {
	compiled ??= new WebAssembly.Module(Uint8Array.from(atob(tridiagonalModule), (char) => char.charCodeAt(0)));
	const { memory, tridiagonalize, ql } = new WebAssembly.Instance(compiled, {}).exports as Exports;
	memory.grow(Math.ceil((doubles * 8) / page));
	let next = page;
	return {
		tridiagonalize,
		ql,
		take: (length) => {
			const pointer = next;
			next += length * 8;
			return pointer;
		},
		view: (pointer, length) => new Float64Array(memory.buffer, pointer, length),
	};
}
