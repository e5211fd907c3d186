/** Low-rank factors: one product with a matrix becomes two with thinner ones (Eckart–Young; methods in the reference). */
import { bug, Fault, present, type Diagnostic } from '../diagnostic.ts';
import { type Block, type Linear } from '../ir/anatomy/parts.ts';
import { type Attribute, type Node, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { matrix, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { type Step } from '../ir/recipe/recipe.ts';
import { isReadable, numbersOf, tensorOf } from '../ir/graph/tensor.ts';
import { noAnatomy, noGain, pinned } from '../messages/plan.ts';
import { plainProducts } from '../numerics/plain-products.ts';
import { truncate, type Wanted } from '../numerics/svd.ts';
import { insert } from './edits.ts';
import { layersInScope } from './scope.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	type Technique,
} from './technique.ts';

type Factors = {
	readonly matrices: readonly {
		readonly node: number;
		readonly slot: number;
		readonly rank: number;
		/** Names in the plan's tensors: the factors, in × rank and rank × out. */
		readonly left: string;
		readonly right: string;
		/** Share of the squared singular values that is cut off, and the measured one of the product. */
		readonly tail: number;
		readonly error: number;
	}[];
};
type Matrices = Factors['matrices'];
type Placed = { readonly linear: Linear; readonly layer: number };

function factorize(
	target: string,
	kind: Block['kind'],
	aliases: readonly string[],
	example: string,
): Technique {
	return defineTechnique<Factors>({
		words: {
			name: `factorize-${target}`,
			verb: 'factorize',
			target,
			aliases,
			summary: `Replace the matrices of ${kind === 'ffn' ? 'feed-forward blocks' : 'attentions'} by two of lower rank (truncated SVD).`,
			example,
			amounts: ['rank', 'energy'],
			bare: false,
			clauses: ['in', 'except', 'align'],
			metrics: [],
		},
		plan: (request) => plan(request, kind),
		lower,
	});
}

export const factorizeFfn = factorize('ffn', 'ffn', ['neurons', 'intermediate'], 'factorize ffn rank 64');
export const factorizeAttention = factorize(
	'attention',
	'attention',
	['heads'],
	'factorize attention energy 95%',
);

async function plan(request: PlanRequest, kind: Block['kind']): Promise<Planned<Factors>> {
	const { step, numbering } = request;
	const placed = layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => block.kind === kind)
			.flatMap((block) => block.linears.map((linear): Placed => ({ linear, layer: given }))),
	);
	if (placed.length === 0)
		throw new Fault(noAnatomy({ target: step.target ?? step.verb }, { span: step.span }));
	const tensors = new Map<string, Tensor>();
	const refused: Diagnostic[] = [];
	const matrices: Matrices[number][] = [];
	const layers = new Set<number>();
	for (const { linear, layer } of placed) {
		const made = await factor(linear, request, tensors);
		if ('code' in made) refused.push(made);
		else {
			matrices.push(made);
			layers.add(layer);
		}
	}
	return {
		plan: {
			statement: step.text,
			technique: `factorize-${step.target}`,
			line: step.line,
			requested: step.text.replace(/^\S+\s+\S+\s*/, ''),
			selected: matrices.length,
			of: placed.length,
			unit: 'matrices',
			removed: [...layers].map((layer) => ({ layer, units: [] })),
			refused,
			decision: { matrices },
		},
		tensors,
		numbering,
	};
}

/** Ranks chosen by energy go down to a multiple that onnxruntime computes fast; a rank given is taken as written. */
function rankWanted({ amount, align: given }: Step): Wanted {
	if (amount?.kind === 'rank') return amount.rank;
	const share = amount?.kind === 'energy' ? amount.share : 1;
	return (shares) => {
		let rank = shares.length;
		for (let tail = 0; rank > 0; rank--) {
			tail += shares[rank - 1] ?? 0;
			if (tail > 1 - share) break;
		}
		const align = given ?? (rank >= 32 ? 16 : 4);
		return rank > align ? Math.floor(rank / align) * align : rank;
	};
}

async function factor(
	linear: Linear,
	request: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<Matrices[number] | Diagnostic> {
	const weight = linear.weight.constant;
	const where = linear.node.node.name || linear.weight.name;
	const place = { span: request.step.span, at: where };
	if (weight === undefined)
		return pinned({ what: `the matrix of '${where}'`, why: 'it is computed from other constants' }, place);
	if (linear.slot !== 1)
		return pinned({ what: `the matrix of '${where}'`, why: 'it stands on the left of its product' }, place);
	if (!isReadable(weight))
		return pinned({ what: `the matrix of '${where}'`, why: 'its weights are not there' }, place);
	const [rows, cols] = [weight.dims[linear.inAxis] ?? 0, weight.dims[linear.outAxis] ?? 0];
	const most = Math.ceil((rows * cols) / (rows + cols)) - 1;
	const wanted = rankWanted(request.step);
	if (typeof wanted === 'number' && wanted > most) return noGain({ where, rank: wanted, most }, place);
	const products = request.lab?.products ?? plainProducts;
	const values = orient(weight, linear.inAxis === 0);
	const { left, right, rank, tail } = await truncate(values, wanted, products);
	if (rank > most) return noGain({ where, rank, most }, place);
	const base = `${linear.node.node.id}`;
	tensors.set(`${base}.left`, tensorOf(`${base}.left`, weight.type, [rows, rank], left.data));
	tensors.set(`${base}.right`, tensorOf(`${base}.right`, weight.type, [rank, cols], right.data));
	return {
		node: linear.node.node.id,
		slot: linear.slot,
		rank,
		left: `${base}.left`,
		right: `${base}.right`,
		tail,
		error: await relativeError(values, left, right, products),
	};
}

/** The matrix as in × out, whichever way it is stored. */
function orient(weight: Tensor, asStored: boolean): Matrix {
	const [rows = 0, cols = 0] = weight.dims;
	const stored = matrix(rows, cols, Float64Array.from(numbersOf(weight)));
	return asStored ? stored : transposed(stored);
}

/** Squared relative error of the product of the factors: must equal the spectral tail. */
async function relativeError(
	values: Matrix,
	left: Matrix,
	right: Matrix,
	products: Products,
): Promise<number> {
	const rest = matrix(values.rows, values.cols, values.data.slice());
	await products.subtract(rest, left, right);
	const energy = ({ data }: Matrix): number => data.reduce((sum, value) => sum + value * value, 0);
	const total = energy(values);
	return total > 0 ? energy(rest) / total : 0;
}

/** Rewrite: a product with the first factor, then with the second. Reference: one product with the factors' product. */
function lower({ net: { model }, decision: { matrices }, tensors, label }: LowerTask<Factors>): Lowered {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const plain: Edit[] = [];
	for (const { node: id, slot, left, right } of matrices) {
		const node =
			model.graph.nodes.find((one) => one.id === id) ?? bug('a plan names a node that is not there', { id });
		const [a, b] = [present(tensors.get(left), left), present(tensors.get(right), right)];
		const base = node.inputs[slot] ?? 'weight';
		const [nameA, nameB, nameW] = [fresh(`${base}_left`), fresh(`${base}_right`), fresh(`${base}_product`)];
		edits.push(
			{ kind: 'constant', tensor: { ...a, name: nameA } },
			{ kind: 'constant', tensor: { ...b, name: nameB } },
			...twoProducts(node, fresh, nameA, nameB),
		);
		plain.push(
			{ kind: 'constant', tensor: { ...a, name: nameA } },
			{ kind: 'constant', tensor: { ...b, name: nameB } },
			...theirProduct(nameA, nameB, nameW, isTransposed(node), fresh),
			{
				kind: 'node',
				node: { ...node, inputs: node.inputs.map((name, at) => (at === slot ? nameW : name)) },
			},
		);
	}
	const reference = applyPatch(model, { label: 'reference', edits: plain });
	return {
		patch: { label, edits },
		claims: [{ says: 'one product with the product of the factors', reference, controls: [() => model] }],
	};
}

function isTransposed(node: Node): boolean {
	const attribute = node.attributes.get('transB');
	return attribute?.kind === 'int' && attribute.value === 1;
}

/** X·W becomes (X·A)·B in the operator the node has: Gemm keeps alpha, beta and bias on the second product. */
function twoProducts(
	node: Node,
	fresh: (base: string) => ValueName,
	left: ValueName,
	right: ValueName,
): Edit[] {
	const middle = fresh(`${node.outputs[0] ?? 'product'}_factor`);
	const [x = '', , ...rest] = node.inputs;
	const without = (...names: string[]): Map<string, Attribute> =>
		new Map([...node.attributes].filter(([name]) => !names.includes(name)));
	const first: Edit = {
		kind: 'insert',
		node: {
			name: node.name === '' ? '' : `${node.name}_left`,
			op: node.op,
			domain: node.domain,
			inputs: [x, left],
			outputs: [middle],
			attributes: without('transB', 'alpha', 'beta'),
		},
	};
	const second: Edit = {
		kind: 'node',
		node: { ...node, inputs: [middle, right, ...rest], attributes: without('transB', 'transA') },
	};
	return [first, second];
}

/** The product of the factors as the node reads it, made in the graph. */
function theirProduct(
	left: ValueName,
	right: ValueName,
	product: ValueName,
	turned: boolean,
	fresh: (base: string) => ValueName,
): Edit[] {
	const straight = turned ? fresh(`${product}_straight`) : product;
	return [
		insert('MatMul', [left, right], straight),
		...(turned ? [insert('Transpose', [straight], product)] : []),
	];
}
