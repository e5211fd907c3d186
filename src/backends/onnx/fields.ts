/** Payloads of protobuf fields: numbers, texts and messages, one or many. Encoding: https://protobuf.dev/programming-guides/encoding/ */
import { fieldsOf, type Field, type Message, type Source } from './wire.ts';

const text = new TextDecoder('utf-8');

/** Reads fields of one source by their number; where a field that may stand once stands twice, the last one counts. */
export class FieldReader {
	protected readonly source: Source;

	constructor(source: Source) {
		this.source = source;
	}

	protected inner(message: Message, field: Field, name: string): Message {
		return { source: message.source, start: field.at, end: field.end, place: `${message.place}.${name}` };
	}

	protected each(
		fields: readonly Field[],
		number: number,
		message: Message,
		name = String(number),
	): Message[] {
		return fields
			.filter((field) => field.number === number && field.wire === 2)
			.map((field, at) => this.inner(message, field, `${name}[${at}]`));
	}

	protected entries(fields: readonly Field[], number: number, message: Message): [string, string][] {
		return this.each(fields, number, message).map((entry) => {
			const own = fieldsOf(entry);
			return [this.text(own, 1), this.text(own, 2)];
		});
	}

	protected int(fields: readonly Field[], number: number): number {
		return fields.findLast((field) => field.number === number && field.wire === 0)?.value ?? 0;
	}

	protected texts(fields: readonly Field[], number: number): string[] {
		return fields
			.filter((field) => field.number === number && field.wire === 2)
			.map(({ at, end }) => text.decode(this.source.read(at, end - at)));
	}

	protected text(fields: readonly Field[], number: number): string {
		return this.texts(fields, number).at(-1) ?? '';
	}

	/** Repeated integers, packed or not. */
	protected ints(fields: readonly Field[], number: number): number[] {
		return fields
			.filter((field) => field.number === number)
			.flatMap((field) => (field.wire === 0 ? [field.value] : this.packed(field)));
	}

	private packed({ at, end }: Field): number[] {
		const bytes = this.source.read(at, end - at);
		const values: number[] = [];
		let value = 0n;
		let shift = 0n;
		for (const byte of bytes) {
			value |= BigInt(byte & 127) << shift;
			shift += 7n;
			if (byte >= 128) continue;
			values.push(Number(BigInt.asIntN(64, value)));
			value = 0n;
			shift = 0n;
		}
		return values;
	}

	protected floats(fields: readonly Field[], number: number): number[] {
		return this.fixed(fields, number, 4, (view, at) => view.getFloat32(at, true));
	}

	protected doubles(fields: readonly Field[], number: number): number[] {
		return this.fixed(fields, number, 8, (view, at) => view.getFloat64(at, true));
	}

	private fixed(
		fields: readonly Field[],
		number: number,
		size: number,
		read: (view: DataView, at: number) => number,
	): number[] {
		return fields
			.filter((field) => field.number === number)
			.flatMap(({ at, end }) => {
				const bytes = this.source.read(at, end - at);
				const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
				return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) =>
					read(view, index * size),
				);
			});
	}
}
