/** The compiled loops of `wasm/tridiagonal.ts`, with memory of their own. */
import { tridiagonalModule } from './tridiagonal.wasm.ts';
import { compileModule, instantiate, page, type Memory } from './wasm.ts';

type Exports = {
	readonly memory: Memory;
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

let compiled: object | undefined;

/** An instance that can hold `doubles` numbers; its memory goes with it. */
export function openKernel(doubles: number): Kernel {
	compiled ??= compileModule(tridiagonalModule);
	const { memory, tridiagonalize, ql } = instantiate(compiled) as Exports;
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
