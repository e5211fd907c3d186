/** Products of matrices in onnxruntime: one `Gemm` a session, opened when first needed. */
import { DOUBLE, FLOAT } from '../../ir/graph/dtype.ts';
import { type Attribute, type Model } from '../../ir/graph/graph.ts';
import { matrix, productSizes, type Form, type Matrix, type Products } from '../../ir/matrix.ts';
import { plainProducts } from '../../numerics/plain-products.ts';
import { hasRuntime, openSession, type Session, type Value } from './session.ts';

/** Multiply–adds below which the call costs more than the product. */
const small = 40 ** 3;

/** One a kind of product and number of threads, for as long as the process lives. */
const sessions = new Map<string, Promise<Session>>();

/** A product by itself, or added to a third matrix, or taken from it. */
type Sign = 0 | 1 | -1;

function sessionFor(form: Form, sign: Sign, threads: number, type = DOUBLE): Promise<Session> {
	const key = `${form} ${sign} ${threads} ${type}`;
	const session = sessions.get(key) ?? openSession(gemm(form, sign, type), { which: 'product', threads });
	sessions.set(key, session);
	return session;
}

/** Products that use `threads` threads; where onnxruntime is not installed, plain ones. */
export function productsOf(threads: number): Products {
	const isSmall = async (sizes: readonly number[]): Promise<boolean> =>
		sizes.reduce((product, size) => product * size, 1) < small || !(await hasRuntime());
	const into = async (sign: Sign, c: Matrix, a: Matrix, b: Matrix, form: Form): Promise<void> => {
		const session = await sessionFor(form, sign, threads);
		await session.runInto(feeds({ a, b, c }), feeds({ y: c }));
	};
	return {
		multiply: async (a, b, form = 'nn') => {
			const sizes = productSizes(a, b, form);
			if (await isSmall(sizes)) return plainProducts.multiply(a, b, form);
			const result = matrix(sizes[0], sizes[2]);
			const session = await sessionFor(form, 0, threads);
			await session.runInto(feeds({ a, b }), feeds({ y: result }));
			return result;
		},
		add: async (c, a, b, form = 'nn') => {
			if (await isSmall(productSizes(a, b, form))) return plainProducts.add(c, a, b, form);
			await into(1, c, a, b, form);
		},
		subtract: async (c, a, b, form = 'nn') => {
			if (await isSmall(productSizes(a, b, form))) return plainProducts.subtract(c, a, b, form);
			await into(-1, c, a, b, form);
		},
	};
}

/** Row-major, in single precision. */
export type SingleMatrix = { readonly rows: number; readonly cols: number; readonly data: Float32Array };

/** A·Bᵀ written over `product`: both are read along their rows, which is fastest. */
export async function multiplySingle(
	a: SingleMatrix,
	b: SingleMatrix,
	product: SingleMatrix,
	threads: number,
): Promise<void> {
	const session = await sessionFor('nt', 0, threads, FLOAT);
	await session.runInto(feeds({ a, b }, FLOAT), feeds({ y: product }, FLOAT));
}

type AnyMatrix = Omit<SingleMatrix, 'data'> & { readonly data: Float32Array | Float64Array };

function feeds(matrices: Readonly<Record<string, AnyMatrix>>, type = DOUBLE): Map<string, Value> {
	return new Map(
		Object.entries(matrices).map(([name, { rows, cols, data }]) => [
			name,
			{ type, dims: [rows, cols], data },
		]),
	);
}

/** https://onnx.ai/onnx/operators/onnx__Gemm.html: A'·B', C + A'·B' or C − A'·B'. */
function gemm(form: Form, sign: Sign, type: number): Model {
	const names = sign === 0 ? ['a', 'b'] : ['a', 'b', 'c'];
	const attributes = new Map<string, Attribute>([
		['transA', { kind: 'int', value: Number(form === 'tn') }],
		['transB', { kind: 'int', value: Number(form === 'nt') }],
		['alpha', { kind: 'float', value: sign === -1 ? -1 : 1 }],
	]);
	const node = { id: 0, name: 'product', op: 'Gemm', domain: '', inputs: names, outputs: ['y'], attributes };
	const info = (name: string): { name: string; type: number; dims: string[] } => ({
		name,
		type,
		dims: [`${name}_rows`, `${name}_cols`],
	});
	return {
		irVersion: 8,
		opsets: new Map([['', 13]]),
		graph: {
			name: 'product',
			inputs: names.map(info),
			outputs: [info('y')],
			nodes: [node],
			initializers: new Map(),
			valueInfo: new Map(),
		},
		metadata: new Map(),
		functions: [],
	};
}
