/** Low-rank factors: one product with a matrix becomes two with thinner ones (Eckart–Young; methods in the reference). */
import { bug, Fault, present, type Diagnostic } from '../diagnostic.ts';
import { type Block, type Linear } from '../ir/anatomy/parts.ts';
import { type Attribute, type Node, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { intAttribute } from '../ir/axes/view.ts';
import { operandOf, type NetNode } from '../ir/axes/net.ts';
import { type RowsOf } from '../ir/lab.ts';
import { matrix, transposed, type Matrix } from '../ir/matrix.ts';
import { type Certificate } from '../ir/proof.ts';
import { type Step } from '../ir/recipe/recipe.ts';
import { isReadable, numbersOf, tensorOf } from '../ir/graph/tensor.ts';
import { noAnatomy, noGain, pinned } from '../messages/plan.ts';
import { plainProducts } from '../numerics/plain-products.ts';
import { type Wanted } from '../numerics/svd.ts';
import { insert } from './edits.ts';
import { inputsOf, lowRank, type Inputs } from './low-rank.ts';
import { addBehind, addToBias, type Shifted } from './bias.ts';
import { alignedRank, automatic, rankKeeping } from './ranks.ts';
import { layersInScope } from './scope.ts';
import { sitesInScope } from './sites.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	type Technique,
	saidOf,
} from './technique.ts';

type Factors = {
	readonly matrices: readonly {
		readonly node: number;
		readonly slot: number;
		readonly rank: number;
		/** Names in the plan's tensors: the factors, in × rank and rank × out. */
		readonly left: string;
		readonly right: string;
		/** What is added to every output, as the factors lose some of the mean; absent without data. */
		readonly shift?: string;
	}[];
};
type Matrices = Factors['matrices'];
type Placed = { readonly linear: Linear; readonly layer: number };

/** Whose matrices: those of blocks of a kind, or those that the model's outputs come out of. */
type Whose = Block['kind'] | 'head';
const owners: Readonly<Record<Whose, string>> = {
	...{ ffn: 'feed-forward blocks', attention: 'attentions', head: 'the heads that outputs come out of' },
};

function factorize(target: string, kind: Whose, aliases: readonly string[], example: string): Technique {
	return defineTechnique<Factors>({
		words: {
			name: `factorize-${target}`,
			verb: 'factorize',
			target,
			aliases,
			summary: `Replace the matrices of ${owners[kind]} by two of lower rank: by singular values, with data by the variance of what they put out.`,
			example,
			amounts: ['rank', 'energy', 'ratio', 'auto'],
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

export const factorizeHead = factorize('head', 'head', ['classifier', 'logits'], 'factorize head rank 64');

async function plan(request: PlanRequest, kind: Whose): Promise<Planned<Factors>> {
	const { step, numbering } = request;
	const placed = placedIn(request, kind);
	if (placed.length === 0)
		throw new Fault(noAnatomy({ target: step.target ?? step.verb }, { span: step.span }));
	const tensors = new Map<string, Tensor>();
	const refused: Diagnostic[] = [];
	const matrices: Matrices[number][] = [];
	const layers = new Set<number>();
	const certificates: Certificate[] = [];
	const inputs = await measureInputs(request, placed);
	for (const [at, { linear, layer }] of placed.entries()) {
		const made = await factor(linear, request, inputs[at], tensors);
		if ('code' in made) refused.push(made);
		else {
			matrices.push(made.decided);
			certificates.push(made.certificate);
			layers.add(layer);
		}
	}
	return {
		plan: {
			...saidOf(step),
			selected: matrices.length,
			of: placed.length,
			unit: 'matrices',
			removed: [...layers].map((layer) => ({ layer, units: [] })),
			refused,
			certificates,
			decision: { matrices },
		},
		tensors,
		numbering,
	};
}

function placedIn(request: PlanRequest, kind: Whose): Placed[] {
	if (kind === 'head') return headsIn(request);
	return layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => block.kind === kind)
			.flatMap((block) => block.linears.map((linear): Placed => ({ linear, layer: given }))),
	);
}

/** Products outside of all layers between which and a model output stand at most biases and operators that work on each number or row. */
function headsIn(request: PlanRequest): Placed[] {
	const { anatomy, numbering } = request;
	const inScope = sitesInScope(request);
	const inLayers = new Set(
		anatomy.layers.flatMap(({ blocks }) => blocks.flatMap(({ linears }) => linears.map(({ node }) => node))),
	);
	const last = Math.max(0, numbering.layerCount - 1);
	return anatomy.linears
		.filter(({ node }) => !inLayers.has(node) && inScope(node.node) && isLast(node))
		.map((linear) => ({ linear, layer: last }));
}

const behindHeads: ReadonlySet<string> = new Set([
	...['Add', 'Identity', 'Cast', 'Reshape', 'Squeeze', 'Softmax', 'LogSoftmax', 'Sigmoid', 'Tanh'],
]);

function isLast({ outputs: [output] }: NetNode): boolean {
	if (output === undefined) return false;
	if (output.io.includes('output')) return true;
	const { consumers } = output;
	return consumers.length > 0 && consumers.every((node) => behindHeads.has(node.node.op) && isLast(node));
}

/** What each matrix reads on the user's inputs, in one run; nothing where there are none. */
async function measureInputs(
	{ lab, model }: PlanRequest,
	placed: readonly Placed[],
): Promise<readonly (Inputs | undefined)[]> {
	if (lab?.calibrated !== true) return [];
	const requests = placed.map(({ linear }) => rowsRead(linear));
	const grams = await lab.grams(
		model,
		requests.filter((request) => request !== undefined),
	);
	const left = grams.map(inputsOf);
	return requests.map((request) => request && left.shift());
}

/** The rows that a product reads, where its matrix stands on the right. */
export function rowsRead({ node, slot, weight, inAxis }: Linear): RowsOf | undefined {
	const input = operandOf(node, 'in', 1 - slot);
	if (input === undefined || slot !== 1) return undefined;
	const turned = intAttribute(node.view, 'transA', 0) === 1;
	const rank = input.sizes.length;
	return { value: input.name, rank, axis: turned ? 0 : rank - 1, size: weight.sizes[inAxis] ?? 0 };
}

/** A rank given is taken as written; `auto` keeps what it does on condition that it pays. */
export function rankWanted({ amount, align }: Step, { rows, cols }: Matrix): Wanted {
	switch (amount?.kind) {
		case 'rank':
			return amount.rank;
		case 'ratio':
			return Math.max(1, alignedRank(Math.floor((amount.share * rows * cols) / (rows + cols)), align));
		default:
			return rankKeeping(amount?.kind === 'energy' ? amount.share : automatic.energy, align);
	}
}

async function factor(
	linear: Linear,
	request: PlanRequest,
	inputs: Inputs | undefined,
	tensors: Map<string, Tensor>,
): Promise<{ decided: Matrices[number]; certificate: Certificate } | Diagnostic> {
	const { node, slot } = linear;
	const weight = linear.weight.constant;
	const where = node.node.name || linear.weight.name;
	const place = { span: request.step.span, at: where };
	if (weight === undefined)
		return pinned({ what: `the matrix of '${where}'`, why: 'it is computed from other constants' }, place);
	if (slot !== 1)
		return pinned({ what: `the matrix of '${where}'`, why: 'it stands on the left of its product' }, place);
	if (!isReadable(weight))
		return pinned({ what: `the matrix of '${where}'`, why: 'its weights are not there' }, place);
	const values = orient(weight, linear.inAxis === 0);
	const even = (values.rows * values.cols) / (values.rows + values.cols);
	const isAutomatic = request.step.amount?.kind === 'auto';
	const most = isAutomatic ? Math.floor(automatic.macs * even) : Math.ceil(even) - 1;
	const wanted = rankWanted(request.step, values);
	if (typeof wanted === 'number' && wanted > most) return noGain({ where, rank: wanted, most }, place);
	const products = request.lab?.products ?? plainProducts;
	const found = await lowRank(values, weight.type, inputs, wanted, products);
	if (found.rank > most) return noGain({ where, rank: found.rank, most }, place);
	const named = { left: found.left, right: found.right, ...(found.shift && { shift: found.shift }) };
	const name = (part: string): string => `${node.node.id}.${part}`;
	for (const [part, { rows, cols, data }] of Object.entries(named)) {
		const dims = part === 'shift' ? [cols] : [rows, cols];
		tensors.set(name(part), tensorOf(name(part), weight.type, dims, data));
	}
	const names = { left: name('left'), right: name('right'), ...(found.shift && { shift: name('shift') }) };
	return {
		decided: { node: node.node.id, slot, rank: found.rank, ...names },
		certificate: { of: where, ...found.certificate },
	};
}

/** The matrix as in × out, whichever way it is stored. */
export function orient(weight: Tensor, asStored: boolean): Matrix {
	const [rows = 0, cols = 0] = weight.dims;
	const stored = matrix(rows, cols, Float64Array.from(numbersOf(weight)));
	return asStored ? stored : transposed(stored);
}

/**
 * Rewrite: a product with the first factor, then with the second, what is added in the bias. Reference: one product with
 * the factors' product, what is added behind it.
 */
function lower({
	net: { model, byNode },
	decision: { matrices },
	tensors,
	label,
}: LowerTask<Factors>): Lowered {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const plain: Edit[] = [];
	for (const { node: id, slot, left, right, shift: added } of matrices) {
		const product = byNode.get(id) ?? bug('a plan names a node that is not there', { id });
		const { node } = product;
		const [a, b] = [present(tensors.get(left), left), present(tensors.get(right), right)];
		const shift = added === undefined ? undefined : present(tensors.get(added), added);
		const base = node.inputs[slot] ?? 'weight';
		const [nameA, nameB, nameW] = [fresh(`${base}_left`), fresh(`${base}_right`), fresh(`${base}_product`)];
		const factors: Edit[] = [
			{ kind: 'constant', tensor: { ...a, name: nameA } },
			{ kind: 'constant', tensor: { ...b, name: nameB } },
		];
		const same: Shifted = { node, edits: [] };
		const small = shift === undefined ? same : addToBias(product, scaledBy(node, shift), fresh);
		const whole = shift === undefined ? same : addBehind(node, scaledBy(node, shift), fresh);
		edits.push(...factors, ...twoProducts(small.node, fresh, nameA, nameB), ...small.edits);
		const inputs = whole.node.inputs.map((name, at) => (at === slot ? nameW : name));
		plain.push(
			...factors,
			...theirProduct(nameA, nameB, nameW, isTransposed(node), fresh),
			{ kind: 'node', node: { ...whole.node, inputs } },
			...whole.edits,
		);
	}
	const reference = applyPatch(model, { label: 'reference', edits: plain });
	return {
		patch: { label, edits },
		claims: [{ says: 'one product with the product of the factors', reference, controls: [() => model] }],
	};
}

/** Gemm scales what it multiplies, and so what is lost. */
function scaledBy({ attributes }: Node, shift: Tensor): Tensor {
	const alpha = attributes.get('alpha');
	if (alpha?.kind !== 'float' || alpha.value === 1) return shift;
	return tensorOf(
		shift.name,
		shift.type,
		shift.dims,
		numbersOf(shift).map((value) => value * alpha.value),
	);
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
