/** A graph as text, a line a value: what the engine sees of a model, for people who look into it. */
import { type Facts } from '../ir/graph/facts.ts';
import { typeName } from '../ir/graph/dtype.ts';
import { nodeLabel, subgraphs, type Graph, type ValueInfo } from '../ir/graph/graph.ts';

/** Sizes are those of the first sample; `*` marks one that depends on the inputs. */
export function graphText(graph: Graph, facts: Facts): string {
	const sizes = (name: string): string => {
		const known = facts.of(name);
		const dims = known?.sizes?.map((size, axis) => `${size}${known.dynamic[axis] === true ? '*' : ''}`);
		return `${name === '' ? '-' : name}[${dims?.join(', ') ?? '?'}]`;
	};
	return [
		...graph.inputs.map((input) => `input ${described(input)}`),
		...[...graph.initializers.values()].map(
			({ name, type, dims }) => `weight ${name} ${typeName(type)}[${dims.join(', ')}]`,
		),
		...graph.nodes.map((node) => {
			const bodies = subgraphs(node).length;
			const inside = bodies === 0 ? '' : ` with ${bodies} ${bodies === 1 ? 'body' : 'bodies'}`;
			return `${node.id} ${nodeLabel(node)} (${node.inputs.map(sizes).join(', ')}) -> ${node.outputs.map(sizes).join(', ')}${inside}`;
		}),
		...graph.outputs.map((output) => `output ${described(output)}`),
	].join('\n');
}

function described({ name, type, dims }: ValueInfo): string {
	return `${name} ${typeName(type)}[${dims?.map((dim) => dim ?? '?').join(', ') ?? '?'}]`;
}
