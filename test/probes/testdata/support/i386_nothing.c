/* A 32-bit program that does nothing, to see whether the kernel runs one. */
int main(void)
{
	return 0;
}
