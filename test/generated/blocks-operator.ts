/** Any operator of the table in the midst of a network: an example of its entry, fed from products of what comes in. */
import { wantedOutputs } from '../../src/ir/axes/example.ts';
import { type Example, type ExampleInput } from '../../src/ir/axes/operator.ts';
import { operators } from '../../src/ir/axes/table.ts';
import { present } from '../../src/diagnostic.ts';
import { elementType, FLOAT } from '../../src/ir/graph/dtype.ts';
import { elementCount } from '../../src/ir/graph/graph.ts';
import { describe } from '../harness/law.ts';
import { type Fed } from '../harness/one-node.ts';
import { type Block } from './blocks.ts';
import { type Kit } from './kit.ts';

/** Steps: a difference in the last digit of what comes in may move what comes out by a whole one. */
const stepping: ReadonlySet<string> = new Set([
	...['Floor', 'Ceil', 'Round', 'Sign', 'Mod', 'ArgMax', 'ArgMin', 'TopK', 'Unique', 'NonMaxSuppression'],
	...['QuantizeLinear', 'DynamicQuantizeLinear', 'DynamicQuantizeLSTM', 'DynamicQuantizeMatMul'],
	...['Hardmax', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal', 'RoiAlign', 'MaxRoiPool'],
	...['Cast', 'CastLike', 'BitCast', 'Tan', 'MoE', 'QMoE'],
]);

type Entry = { readonly op: string; readonly domain: string; readonly example: Example };

/** Whether an operand is of floats that a value of the network can stand for. */
function isFlow(input: ExampleInput | null): boolean {
	if (input === null || 'ints' in input || 'floats' in input) return false;
	const [sizes, isFloat] =
		'sizes' in input
			? [input.sizes, (input.type ?? FLOAT) === FLOAT && input.constant !== true]
			: [input, true];
	return isFloat && sizes.length > 0 && elementCount(sizes) > 0;
}

const isUsable = ({ op, example }: Entry): boolean =>
	!stepping.has(op) &&
	example.noKernel === undefined &&
	example.unrelated !== true &&
	example.opset === undefined &&
	wantedOutputs(example)[0] === true &&
	example.inputs.some(isFlow);

const entries: readonly Entry[] = operators
	.flatMap(({ ops, domain, examples, reads }) =>
		reads === undefined ? ops.flatMap((op) => examples.map((example) => ({ op, domain, example }))) : [],
	)
	.filter(isUsable);

/** One number for each element of an operand, from 0.5 to 1.5 where it must be positive, else from -1 to 1. */
function fed(kit: Kit, row: string, width: number, operand: Fed, hint: ExampleInput): string {
	const size = elementCount(operand.dims);
	const flat = kit.node('Clip', [
		kit.linear(row, width, size),
		kit.b.floats([-1], []),
		kit.b.floats([1], []),
	]);
	const sign = 'positive' in hint ? 1 : 'negative' in hint ? -1 : 0;
	const away = sign === 0 ? flat : kit.node('Add', [kit.node('Abs', [flat]), kit.b.floats([0.5], [])]);
	const signed = sign < 0 ? kit.node('Neg', [away]) : away;
	return kit.node('Reshape', [signed, kit.b.ints(operand.dims)]);
}

const operator: Block = {
	takes: ['vector'],
	only: 'float',
	build: (kit, x) => {
		const { op, domain, example } = kit.draw.pick(entries);
		const { call, facts } = describe(op, domain, example);
		const row = kit.slice(x.name, 0, 0, 1);
		const flows = example.inputs.flatMap((input, slot) => (isFlow(input) ? [slot] : []));
		const first = kit.draw.pick(flows);
		const inputs = call.inputs.map((operand, slot) => {
			if (operand === undefined) return '';
			const hint = present(example.inputs[slot], 'an operand');
			const flows = isFlow(hint) && (slot === first || kit.draw.chance(0.5));
			return flows ? fed(kit, row, x.width, operand, hint) : kit.b.constant(operand);
		});
		const outputs = wantedOutputs(example).length;
		const made = kit.b.node(op, inputs, example.attributes ?? {}, domain, outputs);
		const fact = present(facts.of('o0'), op);
		const floats =
			elementType(fact.type)?.name === 'float32' ? made : kit.node('Cast', [made], { to: FLOAT });
		const size = elementCount(fact.sizes ?? []);
		const width = kit.draw.from(3, 8);
		const flat = kit.node('Reshape', [floats, kit.b.ints([1, size])]);
		const context = kit.node('Tanh', [kit.linear(flat, size, width)]);
		return { ...x, width, name: kit.node('Add', [kit.linear(x.name, x.width, width), context]) };
	},
};

export const operatorBlocks: Readonly<Record<string, Block>> = { operator };
