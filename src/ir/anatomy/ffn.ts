/** Feed-forward blocks: projections around an activation whose result is added back to what went in. */
import { type Family } from '../axes/families.ts';
import { operandOf, type NetNode } from '../axes/net.ts';
import { fixedInts } from '../axes/view.ts';
import { INT8, UINT8 } from '../graph/dtype.ts';
import { isActivationContraction, unquantized, type Block, type Linear } from './parts.ts';
import { chokeAt, linearsOf } from './attention.ts';
import { isAddedBack } from './layers.ts';

const activations: ReadonlySet<string> = new Set([
	'Relu',
	'Gelu',
	'FastGelu',
	'BiasGelu',
	'QuickGelu',
	'Erf',
	'Tanh',
	'Sigmoid',
	'HardSigmoid',
	'HardSwish',
	'Elu',
	'Selu',
	'LeakyRelu',
	'PRelu',
	'Mish',
	'Softplus',
	'Silu',
	'Swish',
	'Clip',
	'Celu',
	'ThresholdedRelu',
	...['QLinearSigmoid', 'QLinearLeakyRelu'],
]);
const mixers: ReadonlySet<string> = new Set([
	...['Softmax', 'QLinearSoftmax', 'QLinearConv'],
	'Conv',
	'ConvTranspose',
	'FusedConv',
	'Attention',
	'MultiHeadAttention',
	'GroupQueryAttention',
]);

export function findFeedForwards(families: readonly Family[]): Block[] {
	const blocks = families.flatMap((family) => feedForward(family) ?? []);
	return [...new Map(blocks.map((block) => [block.node, block])).values()];
}

function feedForward(family: Family): Block | undefined {
	const nodes = [...family.letters.keys()].filter((node) => family.letters.get(node)?.some(Boolean));
	if (!nodes.some((node) => activations.has(node.node.op) || rectifies(node))) return undefined;
	if (nodes.some((node) => mixers.has(node.node.op) || isActivationContraction(node))) return undefined;
	const linears = linearsOf(family);
	const down = linears.filter((linear) => cuts(family, linear, linear.inAxis));
	const up = linears.filter((linear) => cuts(family, linear, linear.outAxis));
	const [last] = down;
	if (last === undefined || up.length === 0 || down.length !== 1 || !isAddedBack(last.node)) return undefined;
	const input = unquantized(operandOf(last.node, 'in', last.input));
	const choke = input && chokeAt(input, family);
	const removable = family.units > 1 && choke !== undefined;
	return {
		kind: 'ffn',
		node: last.node,
		units: widthOf(last),
		width: 1,
		choke,
		family: removable ? family : undefined,
		reasons: removable ? [] : family.reasons,
		linears: [...up, last],
		gated: isGated(up, family),
		cross: false,
	};
}

/** Where operators on bytes take the zero point of their result. */
const zeroSlots: ReadonlyMap<string, number> = new Map([
	...['QLinearMatMul', 'QLinearAdd', 'QLinearMul', 'QLinearConv'].map((op): [string, number] => [op, 7]),
	['QGemm', 8],
	['QuantizeLinear', 2],
]);

/** Whether zero is the least byte of the result: quantizers leave out a `Relu` that what cannot be written does already. */
function rectifies({ node, view }: NetNode): boolean {
	const slot = zeroSlots.get(node.op) ?? -1;
	const least = new Map([
		[INT8, -128],
		[UINT8, 0],
	]).get(view.inputs[slot]?.type ?? 0);
	return least !== undefined && fixedInts(view, slot)?.every((zero) => zero === least) === true;
}

function widthOf(down: Linear): number {
	return down.weight.sizes[down.inAxis] ?? 0;
}

function cuts(family: Family, linear: Linear, axis: number): boolean {
	return family.axes.get(linear.weight)?.[axis] !== undefined;
}

/** Two projections in, or one packed that each unit owns two columns of. */
function isGated(up: readonly Linear[], family: Family): boolean {
	const [first] = up;
	if (up.length > 1 || first === undefined) return up.length > 1;
	const units = family.axes.get(first.weight)?.[first.outAxis];
	return (
		units !== undefined && units.length >= 2 * family.units && units.filter((unit) => unit === 0).length > 1
	);
}

export function isActivation(node: NetNode): boolean {
	return activations.has(node.node.op);
}
